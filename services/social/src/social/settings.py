"""Settings of `social`, from variables that begin with SOCIAL_."""

from common.settings import DatabaseSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class Settings(DatabaseSettings):
    model_config = SettingsConfigDict(env_prefix="SOCIAL_", frozen=True, extra="ignore", env_ignore_empty=True)

    media_url: str = Field(description="where avatars and headers are kept: file:///folder, s3://bucket, gs://bucket, az://container")
    featured_accounts: str = Field(default="", description="names of accounts that everybody is recommended to follow, with commas between")
    active_days: int = Field(default=30, ge=1, description="home feeds that nobody read for so many days are cleared, and filled on return")
    pull_above: int = Field(
        default=10_000,
        ge=1,
        description="posts of authors with more followers are merged into feeds when these are read, not written to each",
    )
