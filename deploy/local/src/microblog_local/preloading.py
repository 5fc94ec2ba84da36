"""Everything that the processes import, and what each of them would do first and keep: done once before forking, it is shared memory."""

import gc
import importlib
import json
import sys
from contextlib import suppress
from typing import Final

import setproctitle

from microblog_local.plan import SERVICES

_MODULES: Final = [
    "common.serving",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.lifespan.on",
    "uvloop",
    "psycopg",
    "psycopg_pool",
    "sqlalchemy.dialects.postgresql.psycopg",
    "aiokafka",
    "httpcore",
    "gateway.serving",
    *(f"{name}.{part}" for name in SERVICES for part in ("main", "worker")),
]

_UNUSED: Final = ["pygments", "rich", "trio"]
"""What httpx and others import where a developer's tools have brought it, and nothing here uses."""


def preload() -> None:
    """Import, use once what is made at its first use, and have the garbage collector leave all of it alone. Starts no thread."""
    for name in _UNUSED:
        sys.modules[name] = None  # type: ignore[assignment]  # the import system's way to say that there is none
    for module in _MODULES:
        importlib.import_module(module)
    _use_once()
    gc.collect()
    gc.freeze()


def _use_once() -> None:
    """Three megabytes less in each process.

    Pydantic asks of each setting's type whether it is a mapping, for which Python goes through all classes that are, and remembers the
    answer; OpenSSL makes its tables when the first key is read; loggers forget what they knew each time a level changes.
    """
    from common.identity import Signer, Verifier
    from common.logs import set_up
    from common.settings import SharedSettings
    from joserfc.jwk import OKPKey
    from pydantic import ValidationError
    from pydantic_settings import SettingsError
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.orm import configure_mappers

    for kind in (SharedSettings, *(importlib.import_module(f"{name}.settings").Settings for name in ("gateway", *SERVICES))):
        with suppress(ValidationError, SettingsError):  # what each process is told comes with the order to fork it
            kind()
    key = OKPKey.generate_key("Ed25519", auto_kid=True)
    Signer(json.dumps(key.as_dict(private=True)))
    Verifier("nobody", json.dumps({"keys": [key.as_dict(private=False)]}))
    configure_mappers()
    create_async_engine("postgresql+psycopg://")
    set_up("preloading")
    setproctitle.getproctitle()  # finds where the title is now: a child has another environment, beside which it lay
