"""Tables of `posts`."""

from datetime import datetime
from typing import Any

from common.ids import NEW_ID
from sqlalchemy import BigInteger, DateTime, ForeignKey, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    type_annotation_map = {
        int: BigInteger,
        datetime: DateTime(timezone=True),
        list[dict[str, Any]]: JSONB,
        dict[str, Any]: JSONB(none_as_null=True),
        list[str]: JSONB(none_as_null=True),
    }


class PostRow(Base):
    """A post as its author wrote it, and as it is shown; a deleted one keeps its id and nothing of its words."""

    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True, server_default=NEW_ID)
    author_id: Mapped[int]
    author_username: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    edited_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    visibility: Mapped[str]
    source: Mapped[str]
    markdown: Mapped[bool]
    html: Mapped[str]
    plain: Mapped[str]
    spoiler: Mapped[str]
    sensitive: Mapped[bool]
    language: Mapped[str | None]
    reply_to_id: Mapped[int | None]
    reply_to_account_id: Mapped[int | None]
    conversation_id: Mapped[int | None]
    usernames: Mapped[list[dict[str, Any]]]
    tags: Mapped[list[dict[str, Any]]]
    poll: Mapped[dict[str, Any] | None]
    application_name: Mapped[str | None]
    application_website: Mapped[str | None]


class RevisionRow(Base):
    """What a post said before an edit."""

    __tablename__ = "revisions"

    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    written_at: Mapped[datetime]
    html: Mapped[str]
    spoiler: Mapped[str]
    sensitive: Mapped[bool]
    media: Mapped[list[dict[str, Any]]]
    poll_options: Mapped[list[str] | None]


class MediaRow(Base):
    """A picture: loose until a post takes it; loose ones are swept after a day."""

    __tablename__ = "media"

    id: Mapped[int] = mapped_column(primary_key=True, server_default=NEW_ID)
    owner_id: Mapped[int]
    post_id: Mapped[int | None] = mapped_column(ForeignKey("posts.id"))
    position: Mapped[int] = mapped_column(default=0)
    loose_since: Mapped[datetime] = mapped_column(server_default=func.now())
    file: Mapped[str]
    preview_file: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    preview_width: Mapped[int]
    preview_height: Mapped[int]
    description: Mapped[str | None]
    blurhash: Mapped[str]
    focus_x: Mapped[float] = mapped_column(default=0.0)
    focus_y: Mapped[float] = mapped_column(default=0.0)


class IdempotencyRow(Base):
    """Which post a client's `Idempotency-Key` made, for an hour."""

    __tablename__ = "idempotency"

    account_id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    post_id: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    draft: Mapped[bytes | None]
    """`domain.fingerprint` of what it was to say."""


class AuthorRow(Base):
    """Read model: an author's posting defaults, told by `social`, and whether the account is gone, told by `auth`."""

    __tablename__ = "authors"

    account_id: Mapped[int] = mapped_column(primary_key=True)
    profile_version: Mapped[int] = mapped_column(default=0)
    visibility: Mapped[str] = mapped_column(default="public")
    sensitive: Mapped[bool] = mapped_column(default=False)
    language: Mapped[str | None]
    erased: Mapped[bool] = mapped_column(default=False)
