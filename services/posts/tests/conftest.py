"""The API of `posts` on a new database."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from common.testing.identities import TestIdentities
from fastapi import FastAPI
from posts.main import create_app


@pytest.fixture
async def app(database_url: str, identities: TestIdentities, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FastAPI]:
    monkeypatch.setenv("MICROBLOG_IDENTITY_KEYS", identities.jwks)
    monkeypatch.setenv("MICROBLOG_PUBLIC_URL", "https://microblog.example")
    monkeypatch.setenv("POSTS_DATABASE_URL", database_url)
    monkeypatch.setenv("POSTS_MEDIA_URL", f"file://{tmp_path}/media")
    made = create_app()
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
async def client(app: FastAPI, identities: TestIdentities) -> AsyncIterator[httpx.AsyncClient]:
    """Ada, with all scopes."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://posts", headers=identities.headers("posts")) as made:
        yield made
