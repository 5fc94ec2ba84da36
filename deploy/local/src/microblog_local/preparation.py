"""What has to be there before the services start: a database and a role each, the newest tables, the topics."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

from common.migrations import migrate, migrations_of
from common.topics import ensure_topics
from engines.postgres import create_database


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
