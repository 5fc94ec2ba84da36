"""What endpoints are given."""

from typing import Annotated

from fastapi import Depends, Request

from auth.passwords import Passwords
from auth.settings import Settings
from auth.throttles import Throttles


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _passwords(request: Request) -> Passwords:
    passwords: Passwords = request.app.state.passwords
    return passwords


async def _throttles(request: Request) -> Throttles:
    throttles: Throttles = request.app.state.throttles
    return throttles


async def _ip(request: Request) -> str:
    """The client's address as the gateway saw it."""
    return request.headers.get("x-forwarded-for", "").split(",")[0].strip()


ASettings = Annotated[Settings, Depends(_settings)]
ThePasswords = Annotated[Passwords, Depends(_passwords)]
TheThrottles = Annotated[Throttles, Depends(_throttles)]
ClientIp = Annotated[str, Depends(_ip)]
