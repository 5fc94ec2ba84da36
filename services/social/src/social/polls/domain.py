"""Rules of voting and their named errors, in the words of Mastodon (`VoteValidator`)."""

from collections.abc import Sequence

from common.errors import DomainError


class PollEnded(DomainError):
    """Validation failed: The poll has already ended"""

    code = "poll_ended"


class UnknownChoice(DomainError):
    """Validation failed: The chosen vote option does not exist"""

    code = "unknown_choice"


class NoChoice(DomainError):
    """Validation failed: Choices can't be blank"""

    code = "no_choice"


class OwnPoll(DomainError):
    """Validation failed: You cannot vote in your own polls"""

    code = "own_poll"


class AlreadyVoted(DomainError):
    """Validation failed: You have already voted on this poll"""

    # Said also of several choices where only one may be made: the second comes after the first.

    code = "already_voted"


def check(choices: Sequence[str], options: int, *, multiple: bool, ended: bool, own: bool) -> list[int]:
    """Return the places of the options that are voted for, each once; or say which rule the vote breaks."""
    if ended:
        raise PollEnded
    if not choices:
        raise NoChoice
    places = {str(place): place for place in range(options)}
    if not places.keys() >= set(choices):
        raise UnknownChoice
    if own:
        raise OwnPoll
    chosen = sorted({places[choice] for choice in choices})
    if len(chosen) > 1 and not multiple:
        raise AlreadyVoted
    return chosen
