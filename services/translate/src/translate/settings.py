"""Settings of `translate`, from variables that begin with TRANSLATE_."""

from typing import Literal

from common.settings import DatabaseSettings, HttpAddress
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict


class Settings(DatabaseSettings):
    model_config = SettingsConfigDict(env_prefix="TRANSLATE_", frozen=True, extra="ignore", env_ignore_empty=True)

    provider: Literal["none", "microsoft"] = Field(default="none", description="none, or microsoft (Translator v3)")
    microsoft_key: SecretStr | None = Field(
        default=None, description="its subscription key; without one the service says that it is not configured"
    )
    microsoft_region: str | None = Field(default=None, description="of regional and multi-service resources; leave it out for global ones")
    microsoft_endpoint: HttpAddress = Field(default="https://api.cognitive.microsofttranslator.com", description="where its API answers")
    daily_budget: int = Field(
        default=100_000, ge=0, description="characters a day, counted as the provider charges; half of it at most ahead"
    )

    @model_validator(mode="after")
    def _key_is_there(self) -> "Settings":
        if self.provider == "microsoft" and not self.microsoft_key:
            raise ValueError("TRANSLATE_MICROSOFT_KEY is needed for the provider microsoft")
        return self
