"""The event process of `social`."""

from common.db import Database
from common.kafka import Consumers
from common.media import MediaStore
from common.relay import Relay
from common.settings import SharedSettings, load
from common.worker import create_worker_app
from starlette.applications import Starlette

from social import consumers
from social.conversations import threading
from social.feeds import fanout
from social.feeds.upkeep import Upkeep
from social.graph import granting
from social.polls import ending
from social.profiles.sweeping import sweeper
from social.settings import Settings


def create_consumers(shared: SharedSettings, database: Database) -> Consumers:
    """Every subscriber of this service."""
    made = Consumers("social", shared.kafka_servers, shared.replica, database)
    consumers.register(made, database, shared.public_url)
    return made


def create_worker() -> Starlette:
    """The ASGI application of the worker; reads its settings now."""
    shared, settings = load(SharedSettings), load(Settings)
    url = settings.database_url.get_secret_value()
    database = Database(url, pool_size=4)
    upkeep = Upkeep(database, active_days=settings.active_days, pull_above=settings.pull_above)
    return create_worker_app(
        "social",
        shared,
        create_consumers(shared, database),
        database=database,
        relay=Relay(url, shared.kafka_servers, "social"),
        loops=[
            *(fanout.worker(database), upkeep.run, ending.worker(database), threading.worker(database)),
            *(granting.worker(database), sweeper(database, MediaStore(settings.media_url))),
        ],
    )
