"""Who listens to what, and who of them is told of what happens."""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from itertools import zip_longest
from typing import Any, Final

import orjson
from common import telemetry
from common.events import FeedMoment, NoticeTrigger, PostState
from common.times import now

from gateway.backend import Backend
from gateway.identity import GATEWAY, AuthAway
from gateway.load import Gate
from gateway.services import Answer
from gateway.streaming.channels import DIRECT, HASHTAG, LIST, NOTIFICATIONS, PUBLIC, PUBLIC_MEDIA, USER, Channel, Refused
from gateway.streaming.clients import Client, Message
from gateway.streaming.listening import Heard, Listener

log = logging.getLogger(__name__)

MOST_OF_ONE: Final = 32
"""Connections of one person."""
_LINGERING: Final = 60.0
"""Seconds that a replica goes on listening after its last client left."""
_AT_ONCE: Final = 1_000
"""Accounts or lists that `social` is asked about in one call."""
_TRIES: Final = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between tries where a service hasn't heard yet of what this process heard of."""
_OLD: Final = timedelta(minutes=10)
_ANNOUNCED_EVERY: Final = 3.0

_EVENTS: Final = {"post.published": "update", "post.edited": "status.update", "post.deleted": "delete"}
"""What is told of a post; of one that is only published again nothing."""


class Hub:
    """Knows every client of this process. What happens is told in the order in which it was heard."""

    def __init__(self, backend: Backend, kafka_servers: str, most: int) -> None:
        self._backend = backend
        self._listener = Listener(kafka_servers, self._tell)
        self.gate = Gate("streams", most)
        self._listening: defaultdict[str, defaultdict[str, set[Client]]] = defaultdict(lambda: defaultdict(set))
        """By the name of a channel and its value."""
        self._clients: set[Client] = set()
        self._connections: Counter[int] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._announcing: asyncio.Task[None] | None = None
        self._leaving: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def connected(self, client: Client) -> AsyncIterator[None]:
        """Keep a connection for as long as the context lasts. Raises `Refused` when there are too many."""
        account_id = client.identity.account_id
        if self.gate.full:
            telemetry.count_refusal(503, self.gate.name)
            raise Refused(503, "The server is busy, please try again")
        if account_id and self._connections[account_id] >= MOST_OF_ONE:
            telemetry.count_refusal(429, self.gate.name)
            raise Refused(429, "Too many streams at once")
        self._clients.add(client)
        self._connections[account_id] += 1
        try:
            with self.gate:
                await self._begin()
                yield
        finally:
            self._clients.discard(client)
            self._connections -= Counter({account_id: 1})
            for values in list(self._listening.values()):
                for value in [value for value, clients in values.items() if client in clients]:
                    self._leave(client, values, value)
            if not self._clients:
                self._leaving = asyncio.get_running_loop().call_later(_LINGERING, self._spawn_stop)

    def join(self, client: Client, channel: Channel) -> None:
        """Tell a client of what happens in a channel."""
        self._listening[channel.name][channel.value].add(client)

    def leave(self, client: Client, channel: Channel) -> None:
        """Tell a client of it no more."""
        self._leave(client, self._listening[channel.name], channel.value)

    def look_again(self, account_id: int, token_ids: Collection[int] | None) -> None:
        """Something happened to an account or to tokens of it: end the connections of those that aren't good any more."""
        for client in self._clients:
            identity = client.identity
            if identity.token_id in token_ids if token_ids else identity.account_id == account_id:
                self._spawn(self._end_if_revoked(client))

    async def _end_if_revoked(self, client: Client) -> None:
        with suppress(AuthAway):
            if await client.may_stay(self._backend.identities):
                return
        client.end()  # whoever can't be asked about comes back, and is asked about then

    async def close(self) -> None:
        """End everything."""
        self.let_all_go()
        await self._stop()
        for task in list(self._tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def let_all_go(self) -> None:
        """End all connections: this process ends, others are there."""
        for client in self._clients:
            client.end()

    async def _begin(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if self._announcing is None:
            self._announcing = asyncio.create_task(self._announce(), name="streamed announcements")
        await self._listener.hearing()

    def _spawn_stop(self) -> None:
        self._spawn(self._stop())

    async def _stop(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
        if self._announcing is not None:
            task, self._announcing = self._announcing, None
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self._listener.stop()

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    def _leave(client: Client, values: defaultdict[str, set[Client]], value: str) -> None:
        values[value].discard(client)
        if not values[value]:
            del values[value]

    async def _tell(self, heard: Sequence[Heard]) -> None:
        """Find out at once for whom all of it is, then tell them one after the other."""
        if not self._clients:
            return
        for one in heard:
            if isinstance(one.event, NoticeTrigger):
                self._spawn(self._notify(one.event))
        told = await asyncio.gather(*(self._messages(one) for one in heard), return_exceptions=True)
        for messages in told:
            if isinstance(messages, BaseException):
                log.error("something could not be streamed", exc_info=messages)
                continue
            for client, message in messages:
                client.give(message)

    async def _messages(self, heard: Heard) -> list[tuple[Client, Message]]:
        event = heard.event
        if isinstance(event, PostState) and heard.happened in _EVENTS:
            return await (self._gone(event) if event.deleted else self._entry(_EVENTS[heard.happened], event))
        if isinstance(event, FeedMoment) and event.kind == "filters_changed":
            return list(self._for(Channel(USER, str(event.account_id)), "filters_changed", None))
        if isinstance(event, FeedMoment) and event.kind == "boosted" and event.boost_id:
            return await self._shown("update", event.boost_id, 0, [], [])
        if isinstance(event, FeedMoment) and event.kind == "unboosted" and event.boost_id:
            return await self._left(event.account_id, "public", event.boost_id, [])
        return []

    async def _entry(self, name: str, post: PostState) -> list[tuple[Client, Message]]:
        open_to: list[Channel] = []
        if post.visibility == "public":
            if post.reply_to_account_id in (None, post.author_id):
                open_to = [Channel(stream) for stream in (*PUBLIC, *(PUBLIC_MEDIA if post.media else ()))]
            open_to += [Channel(stream, tag.name) for stream in HASHTAG for tag in post.tags]
        conversations = list(self._listening[DIRECT]) if post.visibility == "direct" else []
        return await self._shown(name, post.post_id, post.version, open_to, conversations)

    async def _shown(
        self, name: str, entry_id: int, version: int, open_to: Iterable[Channel], conversations: list[str]
    ) -> list[tuple[Client, Message]]:
        """An entry for everybody in whose feeds it is; `social` knows who those are."""
        everywhere = [(channel, client) for channel in open_to for client in self._listening[channel.name].get(channel.value, ())]
        public = {str(client.identity.account_id) for _, client in everywhere}
        found = await self._ask(entry_id, version, list(self._listening[USER]), list(public), list(self._listening[LIST]), conversations)
        messages: list[tuple[Client, Message]] = []
        for account_id, text in found["home"].items():
            messages += self._for(Channel(USER, account_id), name, text)
        for list_id, text in found["lists"].items():
            messages += self._for(Channel(LIST, list_id), name, text)
        for account_id, text in found["conversations"].items():
            messages += self._for(Channel(DIRECT, account_id), "conversation", text)
        seen = found["public"]
        for channel, client in everywhere:
            if str(client.identity.account_id) in seen:
                messages.append((client, Message(channel, name, seen[str(client.identity.account_id)])))
        return messages

    async def _ask(
        self, entry_id: int, version: int, home: list[str], public: list[str], lists: list[str], conversations: list[str]
    ) -> dict[str, dict[str, str]]:
        """Who gets the entry: JSON by account (or list), for each kind of feed."""
        names = ("home", "public", "lists", "conversations")
        found: dict[str, dict[str, str]] = {name: {} for name in names}
        for parts in zip_longest(*(_parts(ids) for ids in (home, public, lists, conversations)), fillvalue=()):
            asked = dict(zip(names, parts, strict=True))
            answer = await self._until_known("social", "/internal/streams/entries", {"entry_id": entry_id, "version": version, **asked})
            if answer.ok:
                told = answer.json()
                for name in names:
                    found[name] |= {an_id: told["shown"][place] for an_id, place in told[name].items()}
        return found

    async def _gone(self, post: PostState) -> list[tuple[Client, Message]]:
        names = (*PUBLIC, *PUBLIC_MEDIA, *HASHTAG) if post.visibility == "public" else ()
        return await self._left(post.author_id, post.visibility, post.post_id, names)

    async def _left(self, account_id: int, visibility: str, entry_id: int, names: Sequence[str]) -> list[tuple[Client, Message]]:
        """That an entry is gone, for those who may have it: in public whoever listens, since nobody knows any more what tags it had."""
        messages: list[tuple[Client, Message]] = []
        for name in (*names, *((LIST,) if visibility != "direct" else ())):
            for value in list(self._listening[name]):
                messages += self._for(Channel(name, value), "delete", str(entry_id))
        for home in _parts(list(self._listening[USER])):
            body = {"account_id": account_id, "visibility": visibility, "home": home}
            answer = await self._backend.services.call("social", "POST", "/internal/streams/gone", identity=GATEWAY, json=body)
            for owner in answer.json()["home"] if answer.ok else ():
                messages += self._for(Channel(USER, str(owner)), "delete", str(entry_id))
        return messages

    async def _notify(self, notice: NoticeTrigger) -> None:
        """A notification, as soon as `notify` has it; the old ones that are told again are known."""
        owner = str(notice.account_id)
        listening = [*self._listening[USER].get(owner, ()), *self._listening[NOTIFICATIONS].get(owner, ())]
        client = next((one for one in listening if one.identity.may("read:notifications")), None)
        if client is None or notice.retracted or notice.happened_at < now() - _OLD:
            return
        answer = Answer(404)
        for pause in (*_TRIES, 0.0):
            answer = await self._backend.notification_about(client.identity, notice.dedupe, notice.happened_at)
            if answer.status != 404 or not pause:
                break
            await asyncio.sleep(pause)
        if not answer.ok:
            return
        text = answer.body.decode()
        for name in (USER, NOTIFICATIONS):
            for one, message in self._for(Channel(name, owner), "notification", text):
                if one.identity.may("read:notifications"):
                    one.give(message)

    async def _announce(self) -> None:
        """Tell of announcements that came or went, seconds after they did."""
        known: dict[str, Any] | None = None
        while True:
            answer = await self._backend.services.call("notify", "GET", "/api/v1/announcements", identity=GATEWAY)
            if answer.ok:
                current = {one["id"]: one for one in answer.json()}
                if known is not None:
                    for an_id in current.keys() - known.keys():
                        self._tell_everybody("announcement", orjson.dumps(current[an_id]).decode())
                    oldest = min(map(int, current), default=0)  # what is older only left the page
                    for an_id in known.keys() - current.keys():
                        if int(an_id) > oldest:
                            self._tell_everybody("announcement.delete", an_id)
                known = current
            await asyncio.sleep(_ANNOUNCED_EVERY)

    def _tell_everybody(self, event: str, payload: str) -> None:
        for owner in list(self._listening[USER]):
            for client, message in self._for(Channel(USER, owner), event, payload):
                client.give(message)

    def _for(self, channel: Channel, event: str, payload: str | None) -> Iterable[tuple[Client, Message]]:
        message = Message(channel, event, payload)
        return [(client, message) for client in self._listening[channel.name].get(channel.value, ())]

    async def _until_known(self, service: str, path: str, body: dict[str, Any]) -> Answer:
        """Ask until the service has heard of it, too, for some seconds."""
        for pause in _TRIES:
            answer = await self._backend.services.call(service, "POST", path, identity=GATEWAY, json=body)
            if answer.status != 409:
                return answer
            await asyncio.sleep(pause)
        return await self._backend.services.call(service, "POST", path, identity=GATEWAY, json=body)


def _parts(ids: list[str]) -> list[list[int]]:
    return [[int(an_id) for an_id in ids[start : start + _AT_ONCE]] for start in range(0, len(ids), _AT_ONCE)]
