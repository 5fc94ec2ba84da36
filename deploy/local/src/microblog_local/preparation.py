"""What has to be there before the services start: passwords and keys, a database and a role each, the newest tables, the topics."""

import json
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common.identity import generate_key
from common.migrations import migrate, migrations_of
from common.topics import ensure_topics
from engines.postgres import create_database

from microblog_local.plan import WITH_DATABASE


def prepare() -> None:
    """Read the order that the supervisor gave in `MICROBLOG_PREPARATION` and carry it out."""
    order = json.loads(os.environ["MICROBLOG_PREPARATION"])
    with ThreadPoolExecutor(1) as beside:
        topics = beside.submit(ensure_topics, order["kafka_servers"], order["replication"])
        for name, password in order["own"].items():
            create_database(order["admin_url"], name, name, password)
        for name, url in order["databases"].items():
            migrate(url, migrations_of(name))
        topics.result()


def make_secrets() -> None:
    """Make passwords and keys in the file that `MICROBLOG_SECRETS` names, once, readable by its owner only."""
    file = Path(os.environ["MICROBLOG_SECRETS"])
    if file.exists():
        return
    gateway_private, gateway_public = generate_key("gateway")
    notify_private, notify_public = generate_key("notify")
    made = {
        "databases": {name: secrets.token_urlsafe(24) for name in WITH_DATABASE},
        "gateway_key": {"private": gateway_private, "public": gateway_public},
        "notify_key": {"private": notify_private, "public": notify_public},
        "auth_secret": secrets.token_urlsafe(32),
        "cookie_secret": secrets.token_urlsafe(32),
        "unsubscribe_secret": secrets.token_urlsafe(32),
    }
    temporary = file.with_suffix(".new")
    temporary.touch(0o600)
    temporary.write_text(json.dumps(made))
    temporary.rename(file)
