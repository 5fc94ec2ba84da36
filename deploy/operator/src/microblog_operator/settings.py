"""Where things are, from the same variables that the services read."""

from common.db import Database
from common.settings import load
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

WITH_OUTBOX = ("auth", "posts", "social")
WITH_MEDIA = ("posts", "social")
REBUILT = ("posts", "social", "search", "notify", "translate")


class Settings(BaseSettings):
    """Databases are needed only by the commands that look into them."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    kafka_servers: str = Field(default="127.0.0.1:9092", alias="MICROBLOG_KAFKA_SERVERS")
    public_url: str = Field(default="http://localhost:8000", alias="MICROBLOG_PUBLIC_URL")
    auth_database_url: SecretStr | None = Field(default=None, alias="AUTH_DATABASE_URL")
    posts_database_url: SecretStr | None = Field(default=None, alias="POSTS_DATABASE_URL")
    social_database_url: SecretStr | None = Field(default=None, alias="SOCIAL_DATABASE_URL")
    notify_database_url: SecretStr | None = Field(default=None, alias="NOTIFY_DATABASE_URL")
    translate_database_url: SecretStr | None = Field(default=None, alias="TRANSLATE_DATABASE_URL")
    posts_media_url: str | None = Field(default=None, alias="POSTS_MEDIA_URL")
    social_media_url: str | None = Field(default=None, alias="SOCIAL_MEDIA_URL")
    topic_replication: int = Field(default=1, alias="MICROBLOG_TOPIC_REPLICATION")
    elasticsearch_url: str | None = Field(default=None, alias="SEARCH_ELASTICSEARCH_URL")
    elasticsearch_api_key: SecretStr | None = Field(default=None, alias="SEARCH_ELASTICSEARCH_API_KEY")

    def database(self, service: str) -> Database:
        """A service's database; raises `MissingSetting`."""
        return Database(self.database_url(service), pool_size=2)

    def database_url(self, service: str) -> str:
        """Where it is, password and all; raises `MissingSetting`."""
        url: SecretStr | None = getattr(self, f"{service}_database_url")
        if url is None:
            raise MissingSetting(f"{service.upper()}_DATABASE_URL")
        return url.get_secret_value()

    def media_url(self, service: str) -> str:
        """Where a service's pictures are; raises `MissingSetting`."""
        url: str | None = getattr(self, f"{service}_media_url")
        if url is None:
            raise MissingSetting(f"{service.upper()}_MEDIA_URL")
        return url


class MissingSetting(Exception):
    """A variable that this command needs isn't set; the message is its name."""


def settings() -> Settings:
    return load(Settings)
