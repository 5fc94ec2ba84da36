"""What `social` tells: profiles, and what somebody should be told of."""

from datetime import datetime
from typing import ClassVar

from common.events.base import Moment, StateEvent, Trigger


class ProfileState(StateEvent):
    """A profile as everybody may know it; `shown` is false for accounts that are not confirmed, suspended or deleted."""

    topic: ClassVar[str] = "social.profiles"

    account_id: int
    username: str
    display_name: str = ""
    plain_note: str = ""
    shown: bool = True
    bot: bool = False
    locked: bool = False
    discoverable: bool = True
    indexable: bool = True
    followers_count: int = 0
    """As of the last change of the profile: good enough for ranking, not for showing."""
    created_at: datetime
    default_visibility: str = "public"
    default_sensitive: bool = False
    default_language: str | None = None

    @property
    def key(self) -> str:
        return str(self.account_id)


ANY_KIND = "any"
"""The kind of a retracted notice that stands for all of them."""


class NoticeTrigger(Trigger):
    """Somebody should be told, and may be: blocks and mutes were already looked at.

    `kind` is a notification type of the Mastodon client API: `mention`, `status`, `reblog`, `follow`, `follow_request`, `favourite`, `update`,
    `poll` (one that the told made, or voted in, has ended: the actor is who made it, the told themselves among them).
    `dedupe` names what it is about, so that the same notice is never given twice. `retracted` takes an earlier notice of the same `dedupe` back;
    of the kind `any` it takes back all that the same actor gave cause for, as when one blocks the other.
    """

    topic: ClassVar[str] = "social.notices"

    dedupe: str
    kind: str
    account_id: int
    """Who is told."""
    actor_id: int
    actor_username: str
    actor_name: str
    post_id: int | None = None
    is_reply: bool = False
    """The post answers a post of the one who is told: a comment."""
    excerpt: str = ""
    """Beginning of the post in plain words; empty unless the post is public or unlisted and without a content warning."""
    retracted: bool = False
    happened_at: datetime

    @property
    def key(self) -> str:
        return str(self.account_id)


class FeedMoment(Moment):
    """What changes in people's feeds without a post having changed: clients that stream are told.

    `kind`: `boosted` and `unboosted` (`account_id` did it, `boost_id` is the entry in feeds, `post_id` what it shows),
    `filters_changed` (of `account_id`, who alone is told).
    """

    topic: ClassVar[str] = "social.moments"

    kind: str
    account_id: int
    boost_id: int | None = None
    post_id: int | None = None
    visibility: str = "public"
    """Of the boost: `public`, `unlisted` or `private`."""

    @property
    def key(self) -> str:
        return str(self.account_id)
