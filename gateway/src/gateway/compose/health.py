"""Whether the whole stack serves."""

import asyncio

from gateway.backend import Backend
from gateway.call import Call
from gateway.services import Answer, json_answer


async def live(backend: Backend, call: Call) -> Answer:
    """This process answers."""
    return json_answer({"name": "gateway", "ready": True, "reasons": []})


async def ready(backend: Backend, call: Call) -> Answer:
    """200 when every process that serves is ready; 503 with the names and reasons of those that aren't."""
    urls = {f"{name} api": url for name, url in backend.settings.service_urls().items()}
    urls |= {f"{name} worker": url for name, url in backend.settings.worker_urls.items()}
    reasons = await asyncio.gather(*(backend.services.probe(url) for url in urls.values()))
    waiting = {name: found for name, found in zip(urls, reasons, strict=True) if found}
    return json_answer({"ready": not waiting, "waiting": waiting}, 503 if waiting else 200)
