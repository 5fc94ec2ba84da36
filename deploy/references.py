"""Reference pages of the documentation, written from the code that they describe; `deploy/contracts.py` keeps them fresh."""

from collections.abc import Iterable
from typing import Any

from common.settings import SharedSettings
from gateway.routes import APP, ROUTES, USER, Route
from pydantic import SecretStr
from pydantic_settings import BaseSettings

_BEGIN, _END = "<!-- settings, by make contracts -->", "<!-- end -->"
_WHO = {USER: "a person", APP: "an app or a person"}


def settings_page(kinds: Iterable[tuple[str, type[BaseSettings]]]) -> str:
    """`docs/settings.md`: every setting of every process."""
    parts = [
        "# Settings\n\nEvery process reads its settings from environment variables when it starts, and refuses to start with the name of the one that is\n"
        "wrong. Secrets have no defaults; an empty variable is as good as none. Under `make run` the runner makes all of them; `make run ENV=file` adds or replaces some, one\n"
        "`NAME=value` a line. This page is written by `make contracts`.\n",
        _table("Every process", SharedSettings),
    ]
    parts += [_table(f"`{name}`", kind) for name, kind in kinds]
    return "\n".join(parts)


def with_settings(readme: str, kind: type[BaseSettings]) -> str:
    """A README with the table of its part's settings between the two marks."""
    before, rest = readme.split(_BEGIN)
    return f"{before}{_BEGIN}\n{_rows(kind)}{_END}{rest.split(_END)[1]}"


def endpoints_page() -> str:
    """`docs/endpoints.md`: the gateway's table of routes."""
    rows = [
        "# Endpoints\n\nEvery way through the gateway's API; what isn't listed is a page. Bodies and answers are described at `/api/docs` of a running stack, and in\n"
        "`gateway/src/gateway/openapi.json`. This page is written by `make contracts`.\n",
        "| method | path | who | scope | answered by |",
        "| --- | --- | --- | --- | --- |",
    ]
    rows += [_endpoint(route) for route in sorted(ROUTES, key=lambda route: (route.template, route.method))]
    return "\n".join(rows) + "\n"


def _endpoint(route: Route) -> str:
    answered = f"`{route.service}`" + (", composed" if route.compose and route.service != "gateway" else "")
    return f"| {route.method} | `{route.template}` | {_WHO.get(route.who, 'anybody')} | {f'`{route.scope}`' if route.scope else ''} | {answered} |"


def _table(title: str, kind: type[BaseSettings]) -> str:
    return f"## {title}\n\n{_rows(kind)}"


def _rows(kind: type[BaseSettings]) -> str:
    prefix = str(kind.model_config.get("env_prefix", ""))
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in kind.model_fields.items():
        default = "**needed**" if field.is_required() else _shown(None if field.default_factory else field.default)
        rows.append(f"| `{prefix}{name.upper()}` | {default} | {field.description or ''} |")
    return "\n".join(rows) + "\n"


def _shown(value: Any) -> str:
    if value is None or isinstance(value, SecretStr):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`" if str(value) else ""
