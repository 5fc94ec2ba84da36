"""Tables of `auth`."""

from datetime import datetime

from common.events import AccountState
from common.ids import NEW_ID
from sqlalchemy import BigInteger, DateTime, ForeignKey, LargeBinary, Text, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    type_annotation_map = {int: BigInteger, datetime: DateTime(timezone=True), list[str]: ARRAY(Text), bytes: LargeBinary}


class AccountRow(Base):
    """Who there is. `state`: unconfirmed, active, suspended, disabled. Of a deleted account only the name stays, so that nobody takes it."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True, server_default=NEW_ID)
    username: Mapped[str]
    email: Mapped[str]
    email_key: Mapped[str]
    password_hash: Mapped[str]
    role: Mapped[str] = mapped_column(default="user")
    state: Mapped[str]
    locale: Mapped[str] = mapped_column(default="en")
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    confirmed_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]

    def as_event(self) -> AccountState:
        deleted = self.deleted_at is not None
        return AccountState(
            account_id=self.id,
            version=self.version,
            username=f"deleted_{self.id}" if deleted else self.username,
            state=self.state,
            role=self.role,
            locale=self.locale,
            created_at=self.created_at,
            deleted=deleted,
        )


class AppRow(Base):
    """An OAuth client."""

    __tablename__ = "apps"

    id: Mapped[int] = mapped_column(primary_key=True, server_default=NEW_ID)
    client_id: Mapped[str]
    secret_hash: Mapped[bytes]
    name: Mapped[str]
    website: Mapped[str | None]
    redirect_uris: Mapped[list[str]]
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class GrantRow(Base):
    """An authorization code, good once for ten minutes."""

    __tablename__ = "grants"

    id: Mapped[int] = mapped_column(primary_key=True, server_default=NEW_ID)
    code_hash: Mapped[bytes]
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    redirect_uri: Mapped[str]
    scopes: Mapped[list[str]]
    code_challenge: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    used_at: Mapped[datetime | None]


class TokenRow(Base):
    """A bearer token of an app, of an app for a person, or a web session (`kind`: app, user, session)."""

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(primary_key=True, server_default=NEW_ID)
    hash: Mapped[bytes]
    kind: Mapped[str]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    app_id: Mapped[int | None] = mapped_column(ForeignKey("apps.id"))
    grant_id: Mapped[int | None] = mapped_column(ForeignKey("grants.id"))
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    ip: Mapped[str | None]
    user_agent: Mapped[str | None]


class RequestRow(Base):
    """Something that a mailed link allows once: `confirmation` or `reset`; `notice` allows nothing and only tells."""

    __tablename__ = "requests"

    id: Mapped[int] = mapped_column(primary_key=True, server_default=NEW_ID)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    kind: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class ThrottleRow(Base):
    """How often something was tried in one window."""

    __tablename__ = "throttles"

    subject: Mapped[str] = mapped_column(primary_key=True)
    window: Mapped[int] = mapped_column(primary_key=True)
    tries: Mapped[int]
    ends_at: Mapped[datetime]


class AuditRow(Base):
    """Who did what; ids only, never changed."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True, server_default=NEW_ID)
    happened_at: Mapped[datetime] = mapped_column(server_default=func.now())
    account_id: Mapped[int | None]
    action: Mapped[str]
    subject_id: Mapped[int | None]
