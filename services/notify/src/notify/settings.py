"""Settings of `notify`, from variables that begin with NOTIFY_."""

from typing import Literal

from common.settings import DatabaseSettings, HttpAddress
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict


class Settings(DatabaseSettings):
    model_config = SettingsConfigDict(env_prefix="NOTIFY_", frozen=True, extra="ignore", env_ignore_empty=True)

    auth_url: HttpAddress = Field(description="where auth answers: addresses and links are asked there at the moment of sending")
    signing_key: SecretStr = Field(description="private JWK with which this service speaks for itself")
    unsubscribe_secret: SecretStr = Field(min_length=32, description="signs unsubscribe links")
    title: str = Field(default="Microblog", max_length=100, description="the name that mails show")
    mail_provider: Literal["postmark", "smtp", "file"] = Field(
        default="file", description="postmark, smtp, or file: a folder, for trying things"
    )
    mail_from: str = Field(default="Microblog <microblog@localhost>", description="sender of all mails")
    mail_folder: str | None = Field(default=None, description="provider file: where mails lie, one .eml each")
    smtp_host: str | None = Field(default=None, description="provider smtp: the server")
    smtp_port: int = Field(default=587, ge=1, le=65535, description="provider smtp: its port")
    smtp_user: str | None = Field(default=None, description="provider smtp: for servers that ask for a log-in")
    smtp_password: SecretStr | None = Field(default=None, description="provider smtp: and the password")
    smtp_security: Literal["starttls", "tls", "none"] = Field(default="starttls", description="starttls, tls, or none")
    postmark_url: HttpAddress = Field(default="https://api.postmarkapp.com", description="provider postmark: where its API answers")
    postmark_token: SecretStr | None = Field(default=None, description="server token")
    postmark_stream: str = Field(default="outbound", description="message stream of mails to one person")
    postmark_broadcast_stream: str = Field(default="broadcast", description="message stream of announcements")
    postmark_webhook_secret: SecretStr | None = Field(default=None, description="what Postmark's webhooks carry in X-Webhook-Secret")
    unknown_wait: float = Field(default=60.0, ge=0, description="seconds before a mail of unknown outcome is looked for at the provider")
    unknown_grace: float = Field(default=600.0, ge=0, description="seconds after which one that can't be found is sent once more")

    @model_validator(mode="after")
    def _provider_is_complete(self) -> "Settings":
        needed = {"postmark": self.postmark_token, "smtp": self.smtp_host, "file": self.mail_folder}
        if not needed[self.mail_provider]:
            names = {"postmark": "NOTIFY_POSTMARK_TOKEN", "smtp": "NOTIFY_SMTP_HOST", "file": "NOTIFY_MAIL_FOLDER"}
            raise ValueError(f"{names[self.mail_provider]} is needed for the provider {self.mail_provider}")
        return self
