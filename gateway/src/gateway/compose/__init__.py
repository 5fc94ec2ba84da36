"""Routes that the gateway answers itself, by the name that the table gives them."""

from collections.abc import Awaitable, Callable
from typing import Final

from gateway.backend import Backend
from gateway.call import Call
from gateway.compose import discovery, health, lists, writes
from gateway.services import Answer

Composer = Callable[[Backend, Call], Awaitable[Answer]]

COMPOSERS: Final[dict[str, Composer]] = {
    "create_status": writes.create_status,
    "edit_status": writes.edit_status,
    "delete_status": writes.delete_status,
    "register": writes.register,
    "revoke": writes.revoke,
    "translate": writes.translate,
    "history": lists.history,
    "search": lists.search,
    "notifications": lists.notifications,
    "notification": lists.notification,
    "nothing": lists.nothing,
    "instance_v1": discovery.instance_v1,
    "instance_v2": discovery.instance_v2,
    "oauth_discovery": discovery.oauth_discovery,
    "host_meta": discovery.host_meta,
    "nodeinfo_links": discovery.nodeinfo_links,
    "nodeinfo": discovery.nodeinfo,
    "webfinger": discovery.webfinger,
    "openapi": discovery.openapi,
    "live": health.live,
    "ready": health.ready,
}
