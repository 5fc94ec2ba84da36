"""The HTTP process of `notify`."""

from common.api import create_api
from common.db import Database
from common.settings import SharedSettings, load
from fastapi import FastAPI

from notify.api import announcements, notifications, unsubscribing
from notify.settings import Settings


def create_app() -> FastAPI:
    """The ASGI application; reads its settings now."""
    shared, settings = load(SharedSettings), load(Settings)
    database = Database(settings.database_url.get_secret_value(), settings.pool_size)
    app = create_api("notify", shared, [notifications.router, announcements.router, unsubscribing.router], database=database)
    app.state.settings = settings
    return app
