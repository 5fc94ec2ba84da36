"""Bodies of requests and answers."""

from typing import Annotated, Any

from common.bodies import as_list
from common.events import PollState, PostState
from common.ids import MAX_ID
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from posts.domain import Poll

Id = Annotated[int, Field(ge=0, le=MAX_ID)]


def _none_if_empty(value: Any) -> Any:
    return None if value in ("", {}) else value


def _false_if_empty(value: Any) -> Any:
    return False if value in ("", None) else value


Ids = Annotated[list[Id], BeforeValidator(as_list), Field(max_length=40)]
OptionalId = Annotated[Id | None, BeforeValidator(_none_if_empty)]
OptionalText = Annotated[str | None, BeforeValidator(_none_if_empty)]


class NewPoll(BaseModel):
    """`poll` of a post; options that are blank count as not given, as forms send them."""

    model_config = ConfigDict(extra="ignore")

    options: Annotated[list[Annotated[str, Field(max_length=1000)]], BeforeValidator(as_list), Field(max_length=40)] = []
    expires_in: Annotated[int | None, BeforeValidator(_none_if_empty)] = None
    multiple: Annotated[bool, BeforeValidator(_false_if_empty)] = False
    hide_totals: Annotated[bool, BeforeValidator(_false_if_empty)] = False

    def asked(self) -> Poll:
        return Poll(tuple(option.strip() for option in self.options if option.strip()), self.expires_in, self.multiple, self.hide_totals)


OptionalPoll = Annotated[NewPoll | None, BeforeValidator(_none_if_empty)]


class MediaAttributes(BaseModel):
    """A change to a picture of the post that is edited."""

    id: Id
    description: str | None = Field(default=None, max_length=10_000)
    focus: str | None = Field(default=None, max_length=100)


class NewPost(BaseModel):
    """`POST /api/v1/statuses` of the Mastodon client API; `content_type` is `text/markdown` unless told `text/plain`."""

    model_config = ConfigDict(extra="ignore")

    status: str = Field(default="", max_length=100_000)
    media_ids: Ids = []
    in_reply_to_id: OptionalId = None
    sensitive: bool | None = None
    spoiler_text: str = Field(default="", max_length=10_000)
    visibility: OptionalText = None
    language: OptionalText = None
    poll: OptionalPoll = None
    content_type: str = "text/markdown"


class EditedPost(BaseModel):
    """`PUT /api/v1/statuses/:id`; what is left out becomes empty, as clients send the whole post.

    But a poll whose `expires_in` is left out keeps its deadline.
    """

    model_config = ConfigDict(extra="ignore")

    status: str = Field(default="", max_length=100_000)
    media_ids: Ids = []
    media_attributes: Annotated[list[MediaAttributes], BeforeValidator(as_list), Field(max_length=40)] = []
    sensitive: bool | None = None
    spoiler_text: str = Field(default="", max_length=10_000)
    language: OptionalText = None
    poll: OptionalPoll = None
    content_type: str = "text/markdown"


class MediaUpdate(BaseModel):
    """`PUT /api/v1/media/:id`."""

    description: str | None = Field(default=None, max_length=10_000)
    focus: str | None = Field(default=None, max_length=100)


class Committed(BaseModel):
    """What was committed, for the gateway to carry ahead to `social`; `repeated` when an `Idempotency-Key` had made it before."""

    post_id: str
    event: PostState
    repeated: bool = False


class Removed(BaseModel):
    """A deleted post's last state, and its source for writing it again."""

    event: PostState
    text: str
    spoiler: str
    media: list[dict[str, Any]]
    poll: PollState | None = None


class PollSource(BaseModel):
    """A poll as its author made it."""

    options: list[str]
    expires_at: str
    multiple: bool
    hide_totals: bool


class SourceOut(BaseModel):
    """A StatusSource of the Mastodon client API, and what only the author knows of the poll."""

    id: str
    text: str
    spoiler_text: str
    content_type: str
    poll: PollSource | None = None


class OptionTitle(BaseModel):
    title: str


class RevisedPoll(BaseModel):
    """A poll as a StatusEdit tells of it."""

    options: list[OptionTitle]


class RevisionOut(BaseModel):
    """A StatusEdit of the Mastodon client API, but for the account, which the gateway adds."""

    content: str
    spoiler_text: str
    sensitive: bool
    created_at: str
    media_attachments: list[dict[str, Any]]
    emojis: list[Any] = []
    poll: RevisedPoll | None = None
