"""Settings of `posts`, from variables that begin with POSTS_."""

from common.settings import DatabaseSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class Settings(DatabaseSettings):
    model_config = SettingsConfigDict(env_prefix="POSTS_", frozen=True, extra="ignore", env_ignore_empty=True)

    media_url: str = Field(description="where pictures are kept: file:///folder, s3://bucket, gs://bucket, az://container")
    max_characters: int = Field(default=5000, ge=100, le=50_000, description="the longest post; an address counts as 23 characters")
