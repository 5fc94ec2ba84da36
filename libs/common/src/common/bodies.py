"""Request bodies as clients of the Mastodon API send them: JSON, urlencoded or multipart, with Rails-style names such as `media_ids[]`."""

import re
from collections.abc import Awaitable, Callable, Mapping
from itertools import pairwise
from typing import Any, Final, TypeVar

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException

M = TypeVar("M", bound=BaseModel)

_PART: Final = re.compile(r"\[([^\[\]]*)\]")
_MAX_DEPTH: Final = 4
_MAX_FIELDS: Final = 200


async def read_fields(request: Request) -> dict[str, Any]:
    """Return body and query as one nested mapping, the body winning; uploads stay `UploadFile`s. Raises `RequestValidationError`."""
    fields = nest(list(request.query_params.multi_items()))
    kind = request.headers.get("content-type", "").split(";", 1)[0].strip().lower()
    if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        try:
            form = await request.form(max_fields=_MAX_FIELDS, max_files=4)
        except MultiPartException as error:  # outside of an application; inside of one it is an answer with status 400 already
            raise RequestValidationError([{"type": "value_error", "loc": ("body",), "msg": error.message, "input": None}]) from error
        fields.update(nest(list(form.multi_items())))
    else:
        raw = await request.body()
        if raw.strip():
            fields.update(_json_object(raw))
    return fields


def body(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """A dependency that reads the fields and checks them against the model."""

    async def read(request: Request) -> M:
        return await read_body(request, model)

    return read


async def read_body(request: Request, model: type[M]) -> M:
    """The fields, checked against the model; raises `RequestValidationError`."""
    fields = await read_fields(request)
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise invalid(error) from error


def invalid(error: ValidationError) -> RequestValidationError:
    """What a model finds wrong with a body, as FastAPI tells it."""
    return RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in error.errors(include_url=False, include_input=False)])


def described(model: type[BaseModel], headers: Mapping[str, dict[str, Any]] | None = None) -> dict[str, Any]:
    """What OpenAPI says of a route that reads its body with `body(model)`, and headers by itself (name → schema); pass as `openapi_extra`."""
    schema = model.model_json_schema()
    schema = _inlined(schema, schema.pop("$defs", {}))
    kinds = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")
    told: dict[str, Any] = {"requestBody": {"content": {kind: {"schema": schema} for kind in kinds}}}
    if headers:
        told["parameters"] = [{"name": name, "in": "header", "required": False, "schema": about} for name, about in headers.items()]
    return told


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """The schema with every reference replaced by what it refers to: a route can't add to the document's components."""
    if isinstance(schema, list):
        return [_inlined(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    return {name: _inlined(part, definitions) for name, part in schema.items()}


def as_list(value: Any) -> Any:
    """What clients send for a list: an array, a mapping by index (`ids[0]=1`), or one alone. Stands in a `BeforeValidator`."""
    if isinstance(value, dict):
        return list(value.values())
    return [value] if isinstance(value, str | int) else value


def nest(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """Turn `a[]=1&a[]=2&b[c]=3` into `{"a": ["1", "2"], "b": {"c": "3"}}`; indexed lists stay mappings by index.

    In a list of mappings, `a[][b]=1&a[][c]=2&a[][b]=3`, one that has the name already is followed by the next, as Rails reads it.
    """
    root: dict[str, Any] = {}
    for name, value in items:
        if isinstance(value, UploadFile) and not value.filename and not value.size:
            continue  # a file input that was left empty
        head, parts = name.split("[", 1)[0], _PART.findall(name)
        if len(parts) > _MAX_DEPTH:
            raise RequestValidationError([{"type": "value_error", "loc": ("body", head), "msg": "nested too deep", "input": None}])
        _put(root, [head, *parts], value)
    return root


def _put(target: dict[str, Any], path: list[str], value: Any) -> None:
    for position, (here, after) in enumerate(pairwise(path)):
        if after == "":
            entries = target.setdefault(here, [])
            if isinstance(entries, list):
                _add(entries, path[position + 2 :], value)
            return
        inner = target.setdefault(here, {})
        if not isinstance(inner, dict):
            return
        target = inner
    target[path[-1]] = value


def _add(entries: list[Any], path: list[str], value: Any) -> None:
    if not path:
        entries.append(value)
        return
    if not entries or not isinstance(entries[-1], dict) or path[0] in entries[-1]:
        entries.append({})
    _put(entries[-1], path, value)


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(raw)  # stricter than `json`: neither NaN nor halves of surrogate pairs, which nobody could send on or store
    except ValueError as error:
        raise RequestValidationError([{"type": "json_invalid", "loc": ("body",), "msg": "not valid JSON", "input": None}]) from error
    if not isinstance(value, dict):
        raise RequestValidationError([{"type": "dict_type", "loc": ("body",), "msg": "should be a JSON object", "input": None}])
    return value
