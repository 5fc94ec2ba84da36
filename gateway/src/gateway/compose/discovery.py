"""What this server is: instance, OAuth discovery, nodeinfo, webfinger, host-meta, the merged OpenAPI document."""

import asyncio
import time
from functools import cache
from importlib.resources import files
from typing import Any, Final
from weakref import WeakKeyDictionary

from gateway.backend import Backend
from gateway.call import Call
from gateway.identity import GATEWAY
from gateway.services import Answer, error, json_answer

VERSION: Final = "0.1.0"
API_VERSION: Final = f"4.2.0 (compatible; Microblog {VERSION})"
"""Clients read the number and call what that version has: no higher than what is here."""

_CACHED_FOR: Final = 60.0
_cached: WeakKeyDictionary[Backend, tuple[float, dict[str, Any]]] = WeakKeyDictionary()


async def describe(backend: Backend) -> dict[str, Any]:
    """The server in the form of `/api/v2/instance`, joined from what each service tells; remembered for a minute."""
    known = _cached.get(backend)
    if known is not None and known[0] > time.monotonic():
        return known[1]
    names = tuple(backend.settings.service_urls())
    answers = await asyncio.gather(*(backend.services.call(name, "GET", "/internal/instance", identity=GATEWAY) for name in names))
    url, settings = backend.public_url, backend.settings
    whole: dict[str, Any] = {
        "domain": url.split("://", 1)[1],
        "title": settings.title,
        "version": API_VERSION,
        "source_url": "",
        "description": settings.description,
        "usage": {"users": {"active_month": 0}},
        "thumbnail": {"url": f"{url}/media/profiles/default/header-0.png", "blurhash": None, "versions": {}},
        "icon": [],
        "languages": ["en", "de", "es"],
        "configuration": {
            "urls": {"about": f"{url}/about", "streaming": _streaming(url)},
            "accounts": {},
            "statuses": {},
            "media_attachments": {},
            "polls": {"max_options": 0, "max_characters_per_option": 0, "min_expiration": 0, "max_expiration": 0},
            "translation": {"enabled": False},
        },
        "registrations": {"enabled": False, "approval_required": False, "message": None, "url": None},
        "api_versions": {"mastodon": 1},
        "contact": {"email": settings.contact_email, "account": None},
        "rules": [],
        "stats": {"user_count": 0, "status_count": 0, "domain_count": 1},
    }
    for answer in answers:
        if answer.ok:
            _merge(whole, answer.json())
    if all(answer.ok for answer in answers):
        _cached[backend] = (time.monotonic() + _CACHED_FOR, whole)
    return whole


def _streaming(url: str) -> str:
    """Where WebSockets begin: clients add the path."""
    return url.replace("http", "ws", 1)


async def instance_v2(backend: Backend, call: Call) -> Answer:
    """`GET /api/v2/instance`."""
    whole = await describe(backend)
    return json_answer({name: value for name, value in whole.items() if name != "stats"})


async def instance_v1(backend: Backend, call: Call) -> Answer:
    """`GET /api/v1/instance`, the older form."""
    whole = await describe(backend)
    return json_answer(
        {
            "uri": whole["domain"],
            "title": whole["title"],
            "short_description": whole["description"],
            "description": whole["description"],
            "email": whole["contact"]["email"],
            "version": whole["version"],
            "urls": {"streaming_api": _streaming(backend.public_url)},
            "stats": whole["stats"],
            "thumbnail": whole["thumbnail"]["url"],
            "languages": whole["languages"],
            "registrations": whole["registrations"]["enabled"],
            "approval_required": False,
            "invites_enabled": False,
            "configuration": whole["configuration"],
            "contact_account": None,
            "rules": [],
            "max_toot_chars": whole["configuration"]["statuses"].get("max_characters"),
        }
    )


async def oauth_discovery(backend: Backend, call: Call) -> Answer:
    """RFC 8414; the password grant is named only where the operator allows it."""
    url = backend.public_url
    grants = ["authorization_code", "client_credentials", *(["password"] if backend.settings.password_grant else [])]
    return json_answer(
        {
            "issuer": f"{url}/",
            "service_documentation": f"{url}/api/docs",
            "authorization_endpoint": f"{url}/oauth/authorize",
            "token_endpoint": f"{url}/oauth/token",
            "app_registration_endpoint": f"{url}/api/v1/apps",
            "revocation_endpoint": f"{url}/oauth/revoke",
            "scopes_supported": ["read", "write", "follow", "push", "profile", "admin:read", "admin:write"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": grants,
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
        }
    )


async def host_meta(backend: Backend, call: Call) -> Answer:
    """RFC 6415: where webfinger is."""
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<XRD xmlns="http://docs.oasis-open.org/ns/xri/xrd-1.0">'
        f'<Link rel="lrdd" template="{backend.public_url}/.well-known/webfinger?resource={{uri}}"/></XRD>\n'
    )
    return Answer(200, document.encode(), {"content-type": "application/xrd+xml; charset=utf-8"})


async def nodeinfo_links(backend: Backend, call: Call) -> Answer:
    """Where the description in nodeinfo's form is."""
    link = {"rel": "http://nodeinfo.diaspora.software/ns/schema/2.0", "href": f"{backend.public_url}/nodeinfo/2.0"}
    return json_answer({"links": [link]})


async def nodeinfo(backend: Backend, call: Call) -> Answer:
    """Nodeinfo 2.0; this server doesn't federate, so it names no protocol."""
    whole = await describe(backend)
    return json_answer(
        {
            "version": "2.0",
            "software": {"name": "microblog", "version": VERSION},
            "protocols": [],
            "services": {"inbound": [], "outbound": []},
            "openRegistrations": whole["registrations"]["enabled"],
            "usage": {
                "users": {"total": whole["stats"]["user_count"], "activeMonth": whole["usage"]["users"]["active_month"]},
                "localPosts": whole["stats"]["status_count"],
            },
            "metadata": {"nodeName": whole["title"], "nodeDescription": whole["description"]},
        }
    )


async def webfinger(backend: Backend, call: Call) -> Answer:
    """RFC 7033, for people of this server."""
    host = backend.public_url.split("://", 1)[1]
    name, _, its_host = call.param("resource").removeprefix("acct:").removeprefix("@").partition("@")
    if not name or its_host.lower() != host.lower():
        return error(404, "Record not found")
    found = await backend.services.call("social", "GET", "/api/v1/accounts/lookup", identity=call.identity, params=[("acct", name)])
    if not found.ok:
        return found
    account = found.json()
    profile = {"rel": "http://webfinger.net/rel/profile-page", "type": "text/html", "href": account["url"]}
    document = {"subject": f"acct:{account['username']}@{host}", "aliases": [account["url"]], "links": [profile]}
    return json_answer(document, headers={"content-type": "application/jrd+json; charset=utf-8"})


async def openapi(backend: Backend, call: Call) -> Answer:
    """The whole API as one OpenAPI document."""
    return json_answer(merged_document())


@cache
def merged_document() -> bytes:
    """The document that `make contracts` merges from the services'."""
    return files("gateway").joinpath("openapi.json").read_bytes()


def _merge(whole: dict[str, Any], part: dict[str, Any]) -> None:
    for name, value in part.items():
        if isinstance(value, dict) and isinstance(whole.get(name), dict):
            _merge(whole[name], value)
        else:
            whole[name] = value
