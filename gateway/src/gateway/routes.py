"""The table of routes: method and path → service, who may call, which limit, and whether the gateway composes the answer."""

from dataclasses import dataclass
from typing import Final

ANYBODY: Final = "anybody"
"""With or without a token."""
USER: Final = "user"
"""A person's token with the scope."""
APP: Final = "app"
"""An app's own token, or a person's."""


@dataclass(frozen=True, slots=True)
class Route:
    """One way in. `compose` names the function in `gateway.compose` that answers; without it bytes pass through to the service.

    Where anybody may read, a scope is asked of those who bring a token: they see more than others do, all that is for themselves.
    """

    method: str
    template: str
    service: str
    who: str = ANYBODY
    scope: str | None = None
    limit: str = "api"
    compose: str | None = None


def _user(method: str, template: str, service: str, scope: str | None, limit: str = "api", compose: str | None = None) -> Route:
    return Route(method, template, service, USER, scope, limit, compose)


_ACCOUNT = "/api/v1/accounts/{id}"
_STATUS = "/api/v1/statuses/{id}"
_FILTERS = "/api/v2/filters"
_LIST = "/api/v1/lists/{id}"

ROUTES: Final[tuple[Route, ...]] = (
    # auth
    Route("POST", "/api/v1/apps", "auth"),
    Route("GET", "/api/v1/apps/verify_credentials", "auth", APP),
    Route("POST", "/oauth/token", "auth"),
    Route("POST", "/oauth/revoke", "auth", compose="revoke"),
    Route("POST", "/api/v1/accounts", "auth", APP, "write:accounts", compose="register"),
    Route("POST", "/api/v1/emails/confirmations", "auth", USER),
    # posts
    _user("POST", "/api/v1/statuses", "posts", "write:statuses", compose="create_status"),
    _user("PUT", _STATUS, "posts", "write:statuses", compose="edit_status"),
    _user("DELETE", _STATUS, "posts", "write:statuses", "delete", "delete_status"),
    _user("GET", f"{_STATUS}/source", "posts", "read:statuses"),
    Route("GET", f"{_STATUS}/history", "posts", scope="read:statuses", compose="history"),
    _user("POST", "/api/v1/media", "posts", "write:media", "media"),
    _user("POST", "/api/v2/media", "posts", "write:media", "media"),
    _user("GET", "/api/v1/media/{id}", "posts", "write:media"),
    _user("PUT", "/api/v1/media/{id}", "posts", "write:media"),
    _user("DELETE", "/api/v1/media/{id}", "posts", "write:media"),
    Route("GET", "/media/posts/{rest}", "posts", limit="files"),
    # social
    _user("GET", "/api/v1/accounts/verify_credentials", "social", "read:accounts"),
    _user("PATCH", "/api/v1/accounts/update_credentials", "social", "write:accounts"),
    _user("DELETE", "/api/v1/profile/{kind}", "social", "write:accounts"),
    _user("GET", "/api/v1/preferences", "social", "read:accounts"),
    Route("GET", "/api/v1/accounts/lookup", "social", scope="read:accounts"),
    Route("GET", "/api/v1/accounts/search", "social", scope="read:accounts"),
    _user("GET", "/api/v1/accounts/relationships", "social", "read:follows"),
    _user("GET", "/api/v1/accounts/familiar_followers", "social", "read:follows"),
    Route("GET", "/api/v1/accounts", "social", scope="read:accounts"),
    Route("GET", _ACCOUNT, "social", scope="read:accounts"),
    Route("GET", f"{_ACCOUNT}/statuses", "social", scope="read:statuses"),
    Route("GET", f"{_ACCOUNT}/followers", "social", scope="read:accounts"),
    Route("GET", f"{_ACCOUNT}/following", "social", scope="read:accounts"),
    Route("GET", f"{_ACCOUNT}/endorsements", "social", scope="read:accounts"),
    Route("GET", f"{_ACCOUNT}/featured_tags", "social"),
    *(
        _user("POST", f"{_ACCOUNT}/{verb}", "social", scope)
        for verb, scope in {
            "follow": "write:follows",
            "unfollow": "write:follows",
            "remove_from_followers": "write:follows",
            "block": "write:blocks",
            "unblock": "write:blocks",
            "mute": "write:mutes",
            "unmute": "write:mutes",
            "note": "write:accounts",
            "endorse": "write:accounts",
            "unendorse": "write:accounts",
            "pin": "write:accounts",
            "unpin": "write:accounts",
        }.items()
    ),
    _user("GET", "/api/v1/follow_requests", "social", "read:follows"),
    _user("POST", "/api/v1/follow_requests/{id}/authorize", "social", "write:follows"),
    _user("POST", "/api/v1/follow_requests/{id}/reject", "social", "write:follows"),
    _user("GET", "/api/v1/endorsements", "social", "read:accounts"),
    _user("GET", "/api/v1/suggestions", "social", "read:accounts"),
    _user("GET", "/api/v2/suggestions", "social", "read:accounts"),
    _user("DELETE", "/api/v1/suggestions/{id}", "social", "write:accounts"),
    Route("GET", "/api/v1/directory", "social"),
    _user("GET", "/api/v1/featured_tags", "social", "read:accounts"),
    _user("POST", "/api/v1/featured_tags", "social", "write:accounts"),
    _user("DELETE", "/api/v1/featured_tags/{id}", "social", "write:accounts"),
    _user("GET", "/api/v1/featured_tags/suggestions", "social", "read:accounts"),
    _user("GET", "/api/v1/blocks", "social", "read:blocks"),
    _user("GET", "/api/v1/mutes", "social", "read:mutes"),
    _user("GET", "/api/v1/timelines/home", "social", "read:statuses"),
    Route("GET", "/api/v1/timelines/public", "social", scope="read:statuses"),
    Route("GET", "/api/v1/timelines/tag/{name}", "social", scope="read:statuses"),
    _user("GET", "/api/v1/timelines/list/{id}", "social", "read:lists"),
    _user("GET", "/api/v1/lists", "social", "read:lists"),
    _user("POST", "/api/v1/lists", "social", "write:lists"),
    _user("GET", _LIST, "social", "read:lists"),
    _user("PUT", _LIST, "social", "write:lists"),
    _user("DELETE", _LIST, "social", "write:lists"),
    _user("GET", f"{_LIST}/accounts", "social", "read:lists"),
    _user("POST", f"{_LIST}/accounts", "social", "write:lists"),
    _user("DELETE", f"{_LIST}/accounts", "social", "write:lists"),
    _user("GET", f"{_ACCOUNT}/lists", "social", "read:lists"),
    _user("GET", "/api/v1/favourites", "social", "read:favourites"),
    _user("GET", "/api/v1/bookmarks", "social", "read:bookmarks"),
    Route("GET", "/api/v1/statuses", "social", scope="read:statuses"),
    Route("GET", _STATUS, "social", scope="read:statuses"),
    Route("GET", f"{_STATUS}/context", "social", scope="read:statuses"),
    Route("GET", f"{_STATUS}/favourited_by", "social", scope="read:accounts"),
    Route("GET", f"{_STATUS}/reblogged_by", "social", scope="read:accounts"),
    *(
        _user("POST", f"{_STATUS}/{verb}", "social", scope, limit)
        for verb, scope, limit in (
            ("favourite", "write:favourites", "api"),
            ("unfavourite", "write:favourites", "api"),
            ("reblog", "write:statuses", "api"),
            ("unreblog", "write:statuses", "delete"),
            ("bookmark", "write:bookmarks", "api"),
            ("unbookmark", "write:bookmarks", "api"),
            ("pin", "write:accounts", "api"),
            ("unpin", "write:accounts", "api"),
            ("mute", "write:mutes", "api"),
            ("unmute", "write:mutes", "api"),
        )
    ),
    Route("GET", "/api/v1/polls/{id}", "social", scope="read:statuses"),
    _user("POST", "/api/v1/polls/{id}/votes", "social", "write:statuses"),
    _user("GET", "/api/v1/conversations", "social", "read:statuses"),
    _user("POST", "/api/v1/conversations/{id}/read", "social", "write:conversations"),
    _user("POST", "/api/v1/conversations/{id}/unread", "social", "write:conversations"),
    _user("DELETE", "/api/v1/conversations/{id}", "social", "write:conversations"),
    *(
        _user(method, template, "social", "read:filters" if method == "GET" else "write:filters")
        for template, methods in {
            "/api/v1/filters": "GET POST",
            "/api/v1/filters/{id}": "GET PUT DELETE",
            _FILTERS: "GET POST",
            f"{_FILTERS}/{{id}}": "GET PUT DELETE",
            f"{_FILTERS}/{{id}}/keywords": "GET POST",
            f"{_FILTERS}/keywords/{{id}}": "GET PUT DELETE",
            f"{_FILTERS}/{{id}}/statuses": "GET POST",
            f"{_FILTERS}/statuses/{{id}}": "GET DELETE",
        }.items()
        for method in methods.split()
    ),
    Route("GET", "/api/v1/tags/{name}", "social"),
    _user("POST", "/api/v1/tags/{name}/follow", "social", "write:follows"),
    _user("POST", "/api/v1/tags/{name}/unfollow", "social", "write:follows"),
    _user("POST", "/api/v1/tags/{name}/feature", "social", "write:accounts"),
    _user("POST", "/api/v1/tags/{name}/unfeature", "social", "write:accounts"),
    _user("GET", "/api/v1/followed_tags", "social", "read:follows"),
    Route("GET", "/media/profiles/{rest}", "social", limit="files"),
    # search
    Route("GET", "/api/v2/search", "search", scope="read:search", compose="search"),
    # notify
    _user("GET", "/api/v1/notifications", "notify", "read:notifications", compose="notifications"),
    _user("GET", "/api/v1/notifications/unread_count", "notify", "read:notifications"),
    _user("GET", "/api/v1/notifications/{id}", "notify", "read:notifications", compose="notification"),
    _user("POST", "/api/v1/notifications/clear", "notify", "write:notifications"),
    _user("POST", "/api/v1/notifications/{id}/dismiss", "notify", "write:notifications"),
    _user("GET", "/api/v1/markers", "notify", "read:statuses"),
    _user("POST", "/api/v1/markers", "notify", "write:statuses"),
    Route("GET", "/api/v1/announcements", "notify"),
    _user("POST", "/api/v1/announcements/{id}/dismiss", "notify", "write:accounts"),
    _user("POST", "/api/v1/admin/announcements", "notify", "admin:write"),
    _user("DELETE", "/api/v1/admin/announcements/{id}", "notify", "admin:write"),
    _user("GET", "/api/v1/microblog/mail_preferences", "notify", "read:accounts"),
    _user("PUT", "/api/v1/microblog/mail_preferences", "notify", "write:accounts"),
    Route("POST", "/webhooks/postmark", "notify"),
    # translate
    _user("POST", f"{_STATUS}/translate", "translate", "read:statuses", compose="translate"),
    Route("GET", "/api/v1/instance/translation_languages", "translate"),
    # the gateway itself
    Route("GET", "/api/v1/instance", "gateway", compose="instance_v1"),
    Route("GET", "/api/v2/instance", "gateway", compose="instance_v2"),
    Route("GET", "/api/v1/instance/rules", "gateway", compose="nothing"),
    Route("GET", "/api/v1/custom_emojis", "gateway", compose="nothing"),
    Route("GET", "/.well-known/oauth-authorization-server", "gateway", compose="oauth_discovery"),
    Route("GET", "/.well-known/host-meta", "gateway", compose="host_meta"),
    Route("GET", "/.well-known/nodeinfo", "gateway", compose="nodeinfo_links"),
    Route("GET", "/.well-known/webfinger", "gateway", compose="webfinger"),
    Route("GET", "/nodeinfo/2.0", "gateway", compose="nodeinfo"),
    Route("GET", "/health/live", "gateway", limit="none", compose="live"),
    Route("GET", "/health/self", "gateway", limit="none", compose="live"),
    Route("GET", "/health/ready", "gateway", limit="none", compose="ready"),
    Route("GET", "/api/openapi.json", "gateway", compose="openapi"),
)

_PREFIXES: Final = ("/api/", "/oauth/token", "/oauth/revoke", "/media/", "/health/", "/.well-known/", "/nodeinfo/", "/webhooks/")
"""What isn't a page; everything else belongs to `gateway.web`. The API's own documentation is a page."""


@dataclass(frozen=True, slots=True)
class Match:
    """A route that fits, with the values of its path."""

    route: Route
    values: dict[str, str]


class Table:
    """Finds the route of a request: exact paths by one look-up, the others by their segments; no regular expressions."""

    def __init__(self, routes: tuple[Route, ...] = ROUTES) -> None:
        self._exact: dict[str, dict[str, Route]] = {}
        self._by_shape: dict[tuple[int, str], list[tuple[list[str], dict[str, Route]]]] = {}
        self._open_ended: list[tuple[str, str, Route]] = []
        for route in routes:
            if route.template.endswith("/{rest}"):
                self._open_ended.append((route.method, route.template.removesuffix("{rest}"), route))
            elif "{" not in route.template:
                self._exact.setdefault(route.template, {})[route.method] = route
            else:
                self._add(route)

    def find(self, method: str, path: str) -> Match | set[str] | None:
        """Return the match, the methods that the path has when this isn't one, or None for an unknown path."""
        if method == "HEAD":
            method = "GET"
        exact = self._exact.get(path)
        if exact is not None:
            route = exact.get(method)
            return Match(route, {}) if route else set(exact)
        parts = path.split("/")
        for segments, methods in self._by_shape.get((len(parts), parts[3] if len(parts) > 3 else ""), ()):
            values = _values(segments, parts)
            if values is not None:
                route = methods.get(method)
                return Match(route, values) if route else set(methods)
        for its_method, prefix, route in self._open_ended:
            if path.startswith(prefix):
                return Match(route, {}) if method == its_method else {its_method}
        return None

    def _add(self, route: Route) -> None:
        segments = route.template.split("/")
        shape = self._by_shape.setdefault((len(segments), segments[3]), [])
        for known, methods in shape:
            if known == segments:
                methods[route.method] = route
                return
        shape.append((segments, {route.method: route}))


def is_page(path: str) -> bool:
    """Whether a path belongs to the web pages."""
    return path == "/api/docs" or not path.startswith(_PREFIXES)


def _values(segments: list[str], parts: list[str]) -> dict[str, str] | None:
    values = {}
    for segment, part in zip(segments, parts, strict=True):
        if segment.startswith("{"):
            if not part:
                return None
            values[segment[1:-1]] = part
        elif segment != part:
            return None
    return values
