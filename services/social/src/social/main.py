"""The HTTP process of `social`."""

from common.api import create_api
from common.db import Database
from common.media import MediaStore, media_router
from common.settings import SharedSettings, load
from fastapi import FastAPI

from social import internal
from social.conversations import api as conversations
from social.featured_tags import api as featured_tags
from social.feeds import api as feeds
from social.feeds.pulling import Pulling
from social.feeds.returning import Readers
from social.filters import api as filters
from social.filters import v1 as earlier_filters
from social.graph import api as graph
from social.interactions import api as interactions
from social.lists import api as lists
from social.polls import api as polls
from social.posts import api as posts
from social.profiles import api as profiles
from social.rendering.stored import Stored
from social.settings import Settings
from social.streaming import api as streaming
from social.suggestions import api as suggestions
from social.tags import api as tags


def create_app() -> FastAPI:
    """The ASGI application; reads its settings now."""
    shared, settings = load(SharedSettings), load(Settings)
    routers = [
        *(feeds.router, graph.router, suggestions.router, featured_tags.router, lists.router, tags.router),
        *(profiles.router, posts.router, interactions.router, polls.router, internal.router),
        *(filters.router, earlier_filters.router, conversations.router, streaming.router),
    ]
    database = Database(settings.database_url.get_secret_value(), settings.pool_size)
    app = create_api("social", shared, [*routers, media_router("/media/profiles")], database=database)
    app.state.settings = settings
    app.state.stored = Stored(shared.public_url)
    app.state.pulling = Pulling()
    app.state.readers = Readers(database)
    app.state.media = MediaStore(settings.media_url)
    return app
