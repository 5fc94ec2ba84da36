"""Writes that are carried ahead to `social`, so that whoever reads next sees them."""

from gateway.backend import Backend, forwarded
from gateway.call import Call
from gateway.services import Answer


async def create_status(backend: Backend, call: Call) -> Answer:
    """`POST /api/v1/statuses`: answers the Status."""
    return await backend.create_status(call.identity, await call.fields(), call.headers.get("idempotency-key"))


async def edit_status(backend: Backend, call: Call) -> Answer:
    """`PUT /api/v1/statuses/:id`: answers the Status."""
    return await backend.edit_status(call.identity, call.values["id"], await call.fields())


async def delete_status(backend: Backend, call: Call) -> Answer:
    """`DELETE /api/v1/statuses/:id`: answers the Status as it was, with its source."""
    return await backend.delete_status(call.identity, call.values["id"])


async def register(backend: Backend, call: Call) -> Answer:
    """`POST /api/v1/accounts`: answers the Token."""
    return await backend.register(call.identity, await call.fields(), call.ip)


async def revoke(backend: Backend, call: Call) -> Answer:
    """`POST /oauth/revoke`; this gateway forgets the token at once, the others when they hear of it."""
    headers = {name: call.headers[name] for name in ("authorization", "content-type") if name in call.headers} | forwarded(call.ip)
    answer = await backend.services.send("auth", "POST", "/oauth/revoke", identity=call.identity, body=call.body, headers=headers)
    token = (await call.fields()).get("token")
    if answer.ok and isinstance(token, str):
        backend.identities.forget_token(token)
    return answer


async def translate(backend: Backend, call: Call) -> Answer:
    """`POST /api/v1/statuses/:id/translate`: answers the Translation."""
    language = (await call.fields()).get("lang")
    return await backend.translate(call.identity, call.values["id"], language if isinstance(language, str) and language else None)
