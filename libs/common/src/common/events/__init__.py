"""Event contracts: the only thing that services share about each other."""

from typing import Final

from common.events.auth import AccountState, SecurityEvent
from common.events.base import Event, Moment, StateEvent, Trigger
from common.events.posts import MediaState, PollState, PostState, TagState
from common.events.social import ANY_KIND, FeedMoment, NoticeTrigger, ProfileState

CONTRACTS: Final[tuple[type[Event], ...]] = (AccountState, SecurityEvent, PostState, ProfileState, NoticeTrigger, FeedMoment)

__all__ = [
    "ANY_KIND",
    "CONTRACTS",
    "AccountState",
    "Event",
    "FeedMoment",
    "MediaState",
    "Moment",
    "NoticeTrigger",
    "PollState",
    "PostState",
    "ProfileState",
    "SecurityEvent",
    "StateEvent",
    "TagState",
    "Trigger",
]
