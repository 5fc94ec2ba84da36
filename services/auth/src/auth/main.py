"""The HTTP process of `auth`."""

from common.api import create_api
from common.db import Database
from common.settings import SharedSettings, load
from fastapi import FastAPI

from auth.api import accounts, internal, oauth
from auth.passwords import Passwords
from auth.settings import Settings
from auth.throttles import Throttles


def create_app() -> FastAPI:
    """The ASGI application; reads its settings now."""
    shared, settings = load(SharedSettings), load(Settings)
    database = Database(settings.database_url.get_secret_value(), settings.pool_size)
    app = create_api("auth", shared, [oauth.router, accounts.router, internal.router], database=database)
    app.state.settings = settings
    app.state.passwords = Passwords(settings.argon2_memory_kib, settings.argon2_time)
    app.state.throttles = Throttles(database, enabled=settings.throttles)
    return app
