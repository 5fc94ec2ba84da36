"""Settings of `search`, from variables that begin with SEARCH_."""

from common.settings import HttpAddress
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SEARCH_", frozen=True, extra="ignore", env_ignore_empty=True)

    elasticsearch_url: HttpAddress = Field(description="http(s)://host:port of Elasticsearch")
    elasticsearch_api_key: SecretStr | None = Field(default=None, description="for a server that asks for one")
    replicas: int = Field(default=0, ge=0, le=5, description="replicas of each shard")
