"""Which streams there are, and who may listen to them (https://docs.joinmastodon.org/methods/streaming/)."""

from typing import Final, NamedTuple

from common.identity import Identity

USER: Final = "user"
NOTIFICATIONS: Final = "user:notification"
DIRECT: Final = "direct"
LIST: Final = "list"
PUBLIC: Final = ("public", "public:local")
PUBLIC_MEDIA: Final = ("public:media", "public:local:media")
_REMOTE: Final = ("public:remote", "public:remote:media")
"""Where nothing ever comes, since this server doesn't federate."""
HASHTAG: Final = ("hashtag", "hashtag:local")
_PERSONAL: Final = (USER, NOTIFICATIONS, DIRECT)

_BY_PATH: Final = {
    "user": USER,
    "user/notification": NOTIFICATIONS,
    "public": "public",
    "public/local": "public:local",
    "public/remote": "public:remote",
    "hashtag": "hashtag",
    "hashtag/local": "hashtag:local",
    "list": LIST,
    "direct": DIRECT,
}
_ALL: Final = frozenset((*_PERSONAL, LIST, *PUBLIC, *PUBLIC_MEDIA, *_REMOTE, *HASHTAG))


class Refused(Exception):
    """The stream can't be had: HTTP status and what the client is told."""

    def __init__(self, status: int, told: str) -> None:
        super().__init__(told)
        self.status = status
        self.told = told


class Channel(NamedTuple):
    """What one may listen to: `value` is the account of a personal stream, a hashtag in lower case, or the id of a list."""

    name: str
    value: str = ""

    @property
    def label(self) -> list[str]:
        """What clients of a WebSocket are told with every message."""
        return [self.name] if self.name in _PERSONAL or not self.value else [self.name, self.value]


def name_at(path: str, *, only_media: bool) -> str:
    """The stream at a path below `/api/v1/streaming/`; an unknown one is empty."""
    name = _BY_PATH.get(path, "")
    return f"{name}:media" if only_media and name.startswith("public") else name


def channel(name: str, tag: str, list_id: str, identity: Identity) -> Channel:
    """The channel that a client asks for. Raises `Refused` when there is none of that name, or it isn't for this client."""
    if name not in _ALL:
        raise Refused(400, "Unknown stream type")
    if name in _PERSONAL or name == LIST:
        _check(name, identity)
    if name in _PERSONAL:
        return Channel(name, str(identity.account_id))
    if name in HASHTAG:
        if not tag.strip("#"):
            raise Refused(400, "Missing tag name parameter")
        return Channel(name, tag.lstrip("#").lower())
    if name == LIST:
        if not (list_id.isascii() and list_id.isdigit()):
            raise Refused(400, "Missing list name parameter")
        return Channel(name, list_id)
    return Channel(name)


def _check(name: str, identity: Identity) -> None:
    if not identity.is_user:
        raise Refused(422, "This method requires an authenticated user")
    scope = {NOTIFICATIONS: "read:notifications", LIST: "read:lists"}.get(name, "read:statuses")
    if not identity.may(scope):
        raise Refused(403, "This action is outside the authorized scopes")
