"""Settings of `auth`, from variables that begin with AUTH_."""

from common.settings import DatabaseSettings
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict


class Settings(DatabaseSettings):
    model_config = SettingsConfigDict(env_prefix="AUTH_", frozen=True, extra="ignore", env_ignore_empty=True)

    secret: SecretStr = Field(min_length=32, description="makes one-time links; changing it ends those under way")
    confirm_email: bool = Field(default=True, description="whether a new account waits until its address is confirmed")
    password_grant: bool = Field(default=False, description="OAuth's password grant, for command-line test suites only")
    registrations: bool = Field(default=True, description="whether people may sign up")
    throttles: bool = Field(default=True, description="false only for client test suites")
    sign_ups_per_half_hour: int = Field(default=5, ge=1, description="for each address range")
    argon2_memory_kib: int = Field(default=19_456, ge=8, description="memory that one password costs to hash")
    argon2_time: int = Field(default=2, ge=1, description="passes over it")
