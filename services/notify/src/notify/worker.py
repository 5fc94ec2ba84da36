"""The event process of `notify`: consumers, and the loops that send mail."""

from common.db import Database
from common.kafka import Consumers
from common.settings import SharedSettings, load
from common.worker import create_worker_app
from starlette.applications import Starlette

from notify import announcements, consumers
from notify.mail.addresses import Addresses
from notify.mail.providers import provider_of
from notify.mail.sender import Sender, sweeper
from notify.mail.suppressions import reconciler
from notify.mail.unsubscribing import Unsubscribing
from notify.settings import Settings


def create_consumers(shared: SharedSettings, database: Database) -> Consumers:
    """Every subscriber of this service."""
    made = Consumers("notify", shared.kafka_servers, shared.replica, database)
    consumers.register(made, database)
    return made


def create_worker() -> Starlette:
    """The ASGI application of the worker; reads its settings now."""
    shared, settings = load(SharedSettings), load(Settings)
    database = Database(settings.database_url.get_secret_value(), pool_size=4)
    addresses = Addresses(settings.auth_url, settings.signing_key.get_secret_value())
    provider = provider_of(settings)
    unsubscribing = Unsubscribing(settings.unsubscribe_secret.get_secret_value())
    sender = Sender(settings, shared.public_url, database, provider, addresses, unsubscribing)

    async def close() -> None:
        await provider.close()
        await addresses.close()

    return create_worker_app(
        "notify",
        shared,
        create_consumers(shared, database),
        database=database,
        checks=[sender.problem],
        loops=[sender.run, sender.tend, reconciler(database, provider), announcements.mailer(database, addresses), sweeper(database)],
        close=close,
    )
