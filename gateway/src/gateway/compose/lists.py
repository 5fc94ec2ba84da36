"""Lists of ids from one service, made whole by `social`."""

from urllib.parse import urlencode

from gateway.backend import Backend, Found
from gateway.call import Call
from gateway.services import Answer, error, json_answer


async def search(backend: Backend, call: Call) -> Answer:
    """`GET /api/v2/search`; beside what clients know, `highlights` by status id, and `unavailable` when full text can't be asked."""
    query, kind = call.param("q").strip(), call.param("type")
    if kind not in ("", "accounts", "statuses", "hashtags"):
        return error(422, "Validation failed: type is accounts, statuses or hashtags")
    offset = call.number("offset", 0, 1000, least=0)
    extra = [(name, value) for name, value in call.params if name in ("following", "account_id", "max_id", "min_id")]
    if not query:
        return json_answer({"accounts": [], "statuses": [], "hashtags": []})
    found = await backend.search(call.identity, query[:500], kind, call.number("limit", 20, 40), offset, extra)
    if not isinstance(found, Found):
        return found
    answer = {"accounts": found.accounts, "statuses": found.statuses, "hashtags": found.hashtags, "highlights": found.highlights}
    return json_answer(answer if found.complete else answer | {"unavailable": ["statuses"]})


async def notifications(backend: Backend, call: Call) -> Answer:
    """`GET /api/v1/notifications`."""
    answer, entries, ids, more = await backend.notifications(call.identity, call.params, call.number("limit", 40, 80))
    if not answer.ok:
        return answer
    return json_answer(entries, headers=_links(backend.public_url, call, ids, more=more))


async def notification(backend: Backend, call: Call) -> Answer:
    """`GET /api/v1/notifications/:id`."""
    return await backend.notification(call.identity, call.values["id"])


async def history(backend: Backend, call: Call) -> Answer:
    """`GET /api/v1/statuses/:id/history`."""
    return await backend.history(call.identity, call.values["id"])


async def nothing(backend: Backend, call: Call) -> Answer:
    """A list that is empty on this server."""
    return json_answer([])


def _links(public_url: str, call: Call, ids: list[str], *, more: bool) -> dict[str, str]:
    if not ids:
        return {}
    kept = [(name, value) for name, value in call.params if name not in ("max_id", "since_id", "min_id")]
    base, numbers = f"{public_url}{call.path}", [int(an_id) for an_id in ids]
    links = [f'<{base}?{urlencode([*kept, ("min_id", max(numbers))])}>; rel="prev"']
    if more:
        links.insert(0, f'<{base}?{urlencode([*kept, ("max_id", min(numbers))])}>; rel="next"')
    return {"link": ", ".join(links)}
