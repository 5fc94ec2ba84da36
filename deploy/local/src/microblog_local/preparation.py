"""What has to be there before the services start: passwords and keys, a database and a role each, the newest tables, the topics."""

import json
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from common.databases import DATABASES, ensure_databases
from common.identity import generate_key
from common.migrations import migrate, migrations_of
from common.topics import ensure_topics


def prepare() -> None:
    """Read the order that the supervisor gave in `MICROBLOG_PREPARATION` and carry it out."""
    order = json.loads(os.environ["MICROBLOG_PREPARATION"])
    with ThreadPoolExecutor(1) as beside:
        topics = beside.submit(ensure_topics, order["kafka_servers"], order["replication"])
        if order["own"]:
            ensure_databases(order["admin_url"], order["own"])
        for name, url in order["databases"].items():
            migrate(url, migrations_of(name))
        topics.result()


def make_secrets() -> None:
    """Make the passwords and keys that are missing in the file that `MICROBLOG_SECRETS` names, readable by its owner only."""
    file = Path(os.environ["MICROBLOG_SECRETS"])
    kept = json.loads(file.read_text()) if file.exists() else _new_secrets()
    passwords = {name: secrets.token_urlsafe(24) for name in DATABASES} | kept.get("databases", {})
    if kept.get("databases") == passwords:
        return
    temporary = file.with_suffix(".new")
    temporary.touch(0o600)
    temporary.write_text(json.dumps({**kept, "databases": passwords}))
    temporary.rename(file)


def _new_secrets() -> dict[str, Any]:
    gateway_private, gateway_public = generate_key("gateway")
    notify_private, notify_public = generate_key("notify")
    return {
        "gateway_key": {"private": gateway_private, "public": gateway_public},
        "notify_key": {"private": notify_private, "public": notify_public},
        "auth_secret": secrets.token_urlsafe(32),
        "cookie_secret": secrets.token_urlsafe(32),
        "unsubscribe_secret": secrets.token_urlsafe(32),
    }
