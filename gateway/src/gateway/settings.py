"""Settings of the gateway, from variables that begin with GATEWAY_."""

from ipaddress import IPv4Network, IPv6Network

from common.settings import HttpAddress
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="GATEWAY_", frozen=True, extra="ignore", env_ignore_empty=True)

    signing_key: SecretStr = Field(description="private JWK (Ed25519) that signs identities; replicas share it")
    cookie_secret: SecretStr = Field(min_length=32, description="signs the pages' anti-forgery tokens")
    auth_url: HttpAddress = Field(description="where `auth` answers, http://host:port")
    posts_url: HttpAddress = Field(description="where `posts` answers")
    social_url: HttpAddress = Field(description="where `social` answers")
    search_url: HttpAddress = Field(description="where `search` answers")
    notify_url: HttpAddress = Field(description="where `notify` answers")
    translate_url: HttpAddress = Field(description="where `translate` answers")
    worker_urls: dict[str, HttpAddress] = Field(default={}, description="where the workers answer probes, by service, as JSON")
    rate_limits: bool = Field(default=True, description="false only for client test suites")
    max_in_flight: int = Field(default=128, ge=1, description="requests that one replica works on at once; others get 503 at once")
    max_in_flight_per_service: int = Field(default=64, ge=1, description="calls that one replica has under way to one service")
    max_body_bytes: int = Field(default=256_000_000, ge=1, description="bytes of requests' bodies that one replica holds at once")
    trusted_proxies: list[IPv4Network | IPv6Network] = Field(default=[], description="networks whose X-Forwarded-For is believed, as JSON")
    max_streams: int = Field(default=4_000, ge=0, description="clients that one replica streams to; more get 503")
    title: str = Field(default="Microblog", max_length=100, description="the name of this server")
    description: str = Field(default="A place to write, read and talk.", max_length=1000, description="one sentence about it")
    contact_email: str = Field(default="", max_length=320, description="whom to write to")
    password_grant: bool = Field(default=False, description="whether discovery may name OAuth's password grant")

    def service_urls(self) -> dict[str, str]:
        """Where each service's API answers."""
        return {
            "auth": self.auth_url,
            "posts": self.posts_url,
            "social": self.social_url,
            "search": self.search_url,
            "notify": self.notify_url,
            "translate": self.translate_url,
        }
