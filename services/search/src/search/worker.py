"""The event process of `search`: feeds the indices."""

from common.kafka import Consumers
from common.settings import SharedSettings, load
from common.worker import create_worker_app
from starlette.applications import Starlette

from search import consumers
from search.confirming import Confirmer
from search.feeding import Feeder
from search.index import Index, client
from search.settings import Settings


def create_consumers(shared: SharedSettings, feeder: Feeder) -> Consumers:
    """Every subscriber of this service."""
    made = Consumers("search", shared.kafka_servers, shared.replica)
    consumers.register(made, feeder)
    return made


def create_worker() -> Starlette:
    """The ASGI application of the worker; reads its settings now."""
    shared, settings = load(SharedSettings), load(Settings)
    key = settings.elasticsearch_api_key.get_secret_value() if settings.elasticsearch_api_key else None
    index = Index(client(settings.elasticsearch_url, key), settings.replicas)
    confirmer = Confirmer(index)
    feeder = Feeder(index, shared.kafka_servers, confirmer)
    return create_worker_app(
        "search",
        shared,
        create_consumers(shared, feeder),
        checks=[index.problem],
        loops=[feeder.watch, confirmer.watch, index.show],
        prepare=feeder.prepare,
        close=index.elastic.close,
    )
