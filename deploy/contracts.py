"""Writes what others rely on: JSON Schemas of events, OpenAPI of the APIs, AsyncAPI of the workers, reference pages.

`--check` fails when they are old.
"""

import argparse
import inspect
import json
import os
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from common.db import Database
from common.events import CONTRACTS
from common.identity import generate_key
from common.settings import SharedSettings
from faststream.specification import AsyncAPI
from gateway.compose import COMPOSERS
from gateway.routes import ROUTES, Route
from references import endpoints_page, settings_page, with_settings

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ("auth", "posts", "social", "search", "notify", "translate")
PART = re.compile(r"\{(\w+)\}")
METHODS = ("get", "put", "post", "delete", "patch")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    written = {ROOT / "libs/common/schemas" / f"{event.data_schema()}.json": event.model_json_schema() for event in CONTRACTS}
    key = generate_key("gateway")
    os.environ.update(_settings(json.dumps({"keys": [key[1]]}), generate_key("notify")[0]))
    documents = {}
    for service in SERVICES:
        documents[service] = _openapi(service)
        written[ROOT / "services" / service / "openapi.json"] = documents[service]
        written[ROOT / "services" / service / "asyncapi.json"] = _asyncapi(service)
    written[ROOT / "gateway/src/gateway/openapi.json"] = _merged(documents)
    texts = {path: json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n" for path, document in written.items()}
    kinds = [(name, import_module(f"{name}.settings").Settings) for name in ("gateway", *SERVICES)]
    texts |= {ROOT / "docs/settings.md": settings_page(kinds), ROOT / "docs/endpoints.md": endpoints_page()}
    for name, kind in kinds:
        readme = ROOT / ("gateway" if name == "gateway" else f"services/{name}") / "README.md"
        texts[readme] = with_settings(readme.read_text("utf-8"), kind)
    old = [path for path, text in texts.items() if not _same(path, text, write=not check)]
    if check and old:
        print("contracts are old, run make contracts: " + ", ".join(str(path.relative_to(ROOT)) for path in old), file=sys.stderr)
        return 1
    return 0


def _openapi(service: str) -> dict[str, Any]:
    document: dict[str, Any] = import_module(f"{service}.main").create_app().openapi()
    return document


def _asyncapi(service: str) -> dict[str, Any]:
    worker = import_module(f"{service}.worker")
    shared = SharedSettings()
    needed: Any = Database("postgresql://contracts@localhost/contracts") if service != "search" else _feeder()
    consumers = worker.create_consumers(shared, needed)
    specification = AsyncAPI(consumers.broker, title=f"Microblog {service}", version="1", schema_version="3.0.0").to_specification()
    document: dict[str, Any] = json.loads(specification.to_json())
    return document


def _feeder() -> Any:
    from search.confirming import Confirmer
    from search.feeding import Feeder
    from search.index import Index

    index = Index(None)  # type: ignore[arg-type]
    return Feeder(index, "localhost:9092", Confirmer(index))


def _merged(documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One document of what clients may call; internal routes aren't in the services' documents to begin with.

    Paths are written as in the gateway's table: two services may call the same part by different names, which OpenAPI forbids.
    """
    templates = {_shape(route.template): route.template for route in ROUTES}
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for service, document in documents.items():
        for path, methods in document["paths"].items():
            template = templates.get(_shape(path), path)
            for method in METHODS:
                if method in methods:
                    named = {"tags": [service], "operationId": f"{service}_{methods[method]['operationId']}"}
                    paths.setdefault(template, {})[method] = _renamed(methods[method], path, template) | named
        schemas |= document.get("components", {}).get("schemas", {})
    for route in ROUTES:
        if route.limit not in ("none", "files"):  # probes and pictures aren't the API
            paths.setdefault(route.template, {}).setdefault(route.method.lower(), _composed(route))
    info = {"title": "Microblog", "version": "1", "description": "The Mastodon client API as this server speaks it, and a little more."}
    return {"openapi": "3.1.0", "info": info, "paths": dict(sorted(paths.items())), "components": {"schemas": schemas}}


def _shape(path: str) -> str:
    return PART.sub("{}", path)


def _renamed(operation: dict[str, Any], path: str, template: str) -> dict[str, Any]:
    """An operation whose path parameters are called as in the template."""
    names = dict(zip(PART.findall(path), PART.findall(template), strict=True))
    told = [p | {"name": names.get(p["name"], p["name"])} if p["in"] == "path" else p for p in operation.get("parameters", [])]
    return operation | {"parameters": told} if told else operation


def _composed(route: Route) -> dict[str, Any]:
    """What is known of an operation that the gateway answers itself."""
    told: dict[str, Any] = {"tags": [route.service], "responses": {"200": {"description": "OK"}}}
    if route.compose is not None:
        told["description"] = inspect.getdoc(COMPOSERS[route.compose]) or ""
    names = PART.findall(route.template)
    if names:
        told["parameters"] = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    return told


def _same(path: Path, text: str, *, write: bool) -> bool:
    same = path.exists() and path.read_text("utf-8") == text
    if not same and write:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return same


def _settings(keys: str, signing_key: str) -> dict[str, str]:
    """Enough for the applications to be made; nothing is opened."""
    databases = {f"{service.upper()}_DATABASE_URL": "postgresql://contracts@localhost/contracts" for service in SERVICES}
    return databases | {
        "MICROBLOG_IDENTITY_KEYS": keys,
        "AUTH_SECRET": "0" * 32,
        "POSTS_MEDIA_URL": "memory:///",
        "SOCIAL_MEDIA_URL": "memory:///",
        "SEARCH_ELASTICSEARCH_URL": "http://localhost:9200",
        "NOTIFY_AUTH_URL": "http://localhost:8001",
        "NOTIFY_SIGNING_KEY": signing_key,
        "NOTIFY_UNSUBSCRIBE_SECRET": "0" * 32,
        "NOTIFY_MAIL_FOLDER": "mail",
    }


if __name__ == "__main__":
    sys.exit(main())
