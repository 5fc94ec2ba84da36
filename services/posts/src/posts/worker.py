"""The event process of `posts`."""

from common.db import Database
from common.kafka import Consumers
from common.media import MediaStore
from common.relay import Relay
from common.settings import SharedSettings, load
from common.worker import create_worker_app
from starlette.applications import Starlette

from posts import consumers
from posts.settings import Settings
from posts.sweeping import sweeper


def create_consumers(shared: SharedSettings, database: Database) -> Consumers:
    """Every subscriber of this service."""
    made = Consumers("posts", shared.kafka_servers, shared.replica, database)
    consumers.register(made, database)
    return made


def create_worker() -> Starlette:
    """The ASGI application of the worker; reads its settings now."""
    shared, settings = load(SharedSettings), load(Settings)
    url = settings.database_url.get_secret_value()
    database = Database(url, pool_size=4)
    return create_worker_app(
        "posts",
        shared,
        create_consumers(shared, database),
        database=database,
        relay=Relay(url, shared.kafka_servers, "posts"),
        loops=[sweeper(database, MediaStore(settings.media_url))],
    )
