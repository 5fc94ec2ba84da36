"""What `posts` tells: what was said, rendered and ready to show."""

from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from common.events.base import StateEvent


class MediaState(BaseModel):
    """A picture of a post; sizes in pixels, focus from -1 to 1."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    media_id: int
    kind: str = "image"
    url: str
    preview_url: str
    description: str | None = None
    blurhash: str | None = None
    width: int
    height: int
    preview_width: int
    preview_height: int
    focus_x: float = 0.0
    focus_y: float = 0.0


class TagState(BaseModel):
    """A hashtag: `name` in lower case, `display` as it was written."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    display: str


class PollState(BaseModel):
    """A poll of a post; votes are for options by their place, beginning with 0."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    options: list[str]
    """In plain words."""
    expires_at: datetime
    multiple: bool = False
    """Whether one may choose several."""
    hide_totals: bool = False
    """Whether nobody is told how many votes each option has before it ends."""
    revision: int = 1
    """A higher one than before says that the question has changed: votes that were given before are void."""


class PostState(StateEvent):
    """A post as it stands. Once `deleted` it stays so, and all content fields are empty.

    `html` is safe to show as it is. Mentions of `usernames` in it look exactly like
    `<span class="h-card"><a href="URL/@name" class="u-url mention">@<span>name</span></a></span>`; whoever knows the accounts takes the link from names that don't exist.
    """

    topic: ClassVar[str] = "posts.posts"

    post_id: int
    author_id: int
    author_username: str = ""
    created_at: datetime
    edited_at: datetime | None = None
    visibility: str = "public"
    """`public`, `unlisted`, `private` (followers) or `direct` (those mentioned)."""
    html: str = ""
    plain: str = ""
    """The same words without markup, paragraphs separated by line feeds: for search, mail and previews."""
    spoiler: str = ""
    sensitive: bool = False
    language: str | None = None
    """ISO 639-1 code, told by the author or detected."""
    reply_to_id: int | None = None
    reply_to_account_id: int | None = None
    conversation_id: int | None = None
    """The post that the whole thread began with, itself for one that answers nothing; None where that wasn't kept yet."""
    usernames: list[str] = []
    """Names that it mentions, lower case, in order, whether they exist or not."""
    tags: list[TagState] = []
    media: list[MediaState] = []
    poll: PollState | None = None
    application_name: str | None = None
    application_website: str | None = None

    @property
    def key(self) -> str:
        return str(self.post_id)
