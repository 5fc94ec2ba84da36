"""A community as large as one likes in the database of `social`: as if everybody had signed up, followed and posted over a year.

Whom people follow and who writes is as uneven as in life: a few have most of it. Rows go in by COPY, in the order of their ids, and what is
rendered is rendered by the service's own code. Same size and seed, same community.
"""

import random
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Final

import psycopg
from common.events import PostState, TagState
from common.ids import first_id_at, time_of
from social.rendering import fragments

_WORDS: Final = (
    "morning light over the harbour and nobody awake but gulls bread is rising the train was late again my garden has its first tomatoes "
    "reading a long book about short rivers somebody left a piano in the street it still plays rain all day soup all evening new paint on "
    "the old boat a question about bees what do you call the smell after thunder we fixed the gate"
).split()
_TAGS: Final = ("garden", "books", "trains", "bread", "music", "weather", "boats", "bees", "photo", "question")
_TEXTS: Final = 4_000
_YEAR: Final = timedelta(days=365)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """How many of each; every account's feed holds `entries` of the newest posts of somebody."""

    accounts: int = 100_000
    follows: int = 5_000_000
    posts: int = 1_000_000
    favourites: int = 500_000
    boosts: int = 50_000
    entries: int = 40


@dataclass(frozen=True)
class Crowd:
    """Account ids, the most followed first, and post ids, the oldest first."""

    people: range
    posts: list[int]


class Loader:
    """Fills an empty, or nearly empty, database; `public_url` is what rendered addresses begin with."""

    def __init__(self, connection: psycopg.Connection, size: Size, public_url: str, seed: int = 1, say: Say = lambda _: None) -> None:
        self._connection = connection
        self._size = size
        self._url = public_url
        self._random = random.Random(seed)  # noqa: S311 - the same community every time
        self._say = say
        now = datetime.now(UTC)
        first = first_id_at(now - _YEAR)
        self._people = range(first, first + size.accounts)
        self._post_ids = [first_id_at(now - _YEAR + _YEAR * (n / size.posts)) + n % 8192 for n in range(size.posts)]

    def load(self) -> Crowd:
        began = time.monotonic()
        for load in (self._load_people, self._load_follows, self._load_posts, self._load_interactions, self._load_feeds, self._load_counts):
            load()
            self._say(f"{load.__name__.removeprefix('_load_')} after {time.monotonic() - began:.0f} s")
        self._connection.execute("ANALYZE")
        return Crowd(self._people, self._post_ids)

    def _load_people(self) -> None:
        def rows() -> Iterator[tuple[object, ...]]:
            for account_id in self._people:
                name = f"person_{account_id - self._people.start}"
                profile = SimpleNamespace(
                    account_id=account_id,
                    username=name,
                    display_name=name.replace("_", " ").title(),
                    note_html="<p>Hello.</p>",
                    fields=[],
                    avatar=None,
                    avatar_description="",
                    header=None,
                    header_description="",
                    locked=False,
                    bot=False,
                    discoverable=True,
                    indexable=True,
                    hide_collections=False,
                    role="user",
                    created_at=time_of(account_id),
                )
                head = fragments.account_head(profile, self._url)
                yield account_id, name, profile.display_name, profile.note_html, profile.created_at, True, 1, head

        self._copy("profiles (account_id, username, display_name, note_html, created_at, shown, account_version, head)", rows())
        self._copy("feeds (owner_id)", ((account_id,) for account_id in self._people))

    def _load_follows(self) -> None:
        count, first, chance = self._size.accounts, self._people.start, self._random.random
        each = self._size.follows // count

        def rows() -> Iterator[tuple[object, ...]]:
            an_id = first_id_at(datetime.now(UTC) - _YEAR)
            for follower in range(count):
                chosen: set[int] = set()
                while len(chosen) < min(each, count - 1):
                    chosen.add(int(count * chance() ** 2.5))
                chosen.discard(follower)
                for followed in chosen:
                    an_id += 1
                    yield first + follower, first + followed, an_id

        self._copy("follows (follower_id, followed_id, id)", rows())

    def _load_posts(self) -> None:
        count, first, chance = self._size.accounts, self._people.start, self._random.random
        contents = [self._content() for _ in range(_TEXTS)]
        authors = array("q", (first + int(count * chance() ** 1.5) for _ in self._post_ids))
        threads = array("q", self._post_ids)

        def rows() -> Iterator[tuple[object, ...]]:
            for number, post_id in enumerate(self._post_ids):
                author = authors[number]
                answered = number - self._random.randrange(1, 50) if number > 50 and number % 8 == 0 else None
                content, _ = contents[number % _TEXTS]
                created = time_of(post_id)
                head = fragments.status_head(post_id, created, f"person_{author - first}", self._url)
                visibility = "public" if number % 10 else ("unlisted", "private")[number // 10 % 2]
                answers: tuple[int | None, ...] = (None, None, None)
                if answered is not None:
                    threads[number] = threads[answered]
                    answers = self._post_ids[answered], authors[answered], threads[number]
                yield post_id, 1, 0, False, author, created, visibility, "en", *answers, True, False, head, content

        columns = (
            "post_id, version, previous_version, deleted, author_id, created_at, visibility, language, reply_to_id, reply_to_account_id, "
            "conversation_id, threaded"
        )
        self._copy(f"snapshots ({columns}, has_media, head, content)", rows())
        tagged = ((number, contents[number % _TEXTS][1]) for number in range(len(self._post_ids)))
        tags = ((tag, self._post_ids[number], authors[number]) for number, tag in tagged if tag)
        self._copy("hashtags (name, post_id, account_id)", tags)

    def _content(self) -> tuple[bytes, str]:
        words = " ".join(self._random.choices(_WORDS, k=self._random.randrange(5, 60)))
        tag = self._random.choice(_TAGS) if self._random.random() < 0.2 else ""
        link = f' <a href="{self._url}/tags/{tag}" rel="tag">#{tag}</a>' if tag else ""
        html = f"<p>{words}{link}</p>"
        tags = [TagState(name=tag, display=tag)] if tag else []
        post = PostState(post_id=1, version=1, author_id=1, created_at=datetime.now(UTC), html=html, plain=words, language="en", tags=tags)
        return fragments.status_content(post, {}, self._url), tag

    def _load_interactions(self) -> None:
        choose = self._random.choice
        liked = {(choose(self._people), choose(self._post_ids)) for _ in range(self._size.favourites)}
        self._copy("favourites (account_id, post_id)", sorted(liked))
        boosted = {(choose(self._people), choose(self._post_ids)) for _ in range(self._size.boosts)}
        later = (self._random.randrange(1, 8 * 3_600_000) << 16 for _ in boosted)  # within eight hours
        last = first_id_at(datetime.now(UTC))
        ids = {min(what + soon, last) + n: (who, what) for n, (soon, (who, what)) in enumerate(zip(later, sorted(boosted), strict=True))}
        rows = ((an_id, who, what, "public") for an_id, (who, what) in ids.items())
        self._copy("boosts (id, account_id, post_id, visibility)", rows)

    def _load_feeds(self) -> None:
        """Not what each would have: as many rows as there would be. Who is measured has a feed of their own, filled by the service."""
        newest = self._post_ids[-10_000:]
        entries = min(self._size.entries, len(newest))
        chosen = ((owner, sorted(self._random.sample(newest, entries))) for owner in self._people)
        self._copy("feed_entries (owner_id, entry_id, post_id)", ((owner, an_id, an_id) for owner, ids in chosen for an_id in ids))

    def _load_counts(self) -> None:
        self._connection.execute("""
            INSERT INTO profile_counts (account_id, statuses, followers, following, last_status_on)
            SELECT p.account_id, coalesce(s.n, 0) + coalesce(b.n, 0), coalesce(r.n, 0), coalesce(f.n, 0), s.day FROM profiles p
            LEFT JOIN (SELECT author_id, count(*) AS n, max(created_at)::date AS day FROM snapshots GROUP BY 1) s ON s.author_id = p.account_id
            LEFT JOIN (SELECT account_id, count(*) AS n FROM boosts GROUP BY 1) b ON b.account_id = p.account_id
            LEFT JOIN (SELECT followed_id, count(*) AS n FROM follows GROUP BY 1) r ON r.followed_id = p.account_id
            LEFT JOIN (SELECT follower_id, count(*) AS n FROM follows GROUP BY 1) f ON f.follower_id = p.account_id
            ON CONFLICT DO NOTHING
        """)
        self._connection.execute("""
            INSERT INTO post_counts (post_id, replies, reblogs, favourites)
            SELECT s.post_id, coalesce(r.n, 0), coalesce(b.n, 0), coalesce(f.n, 0) FROM snapshots s
            LEFT JOIN (SELECT reply_to_id, count(*) AS n FROM snapshots GROUP BY 1) r ON r.reply_to_id = s.post_id
            LEFT JOIN (SELECT post_id, count(*) AS n FROM boosts GROUP BY 1) b ON b.post_id = s.post_id
            LEFT JOIN (SELECT post_id, count(*) AS n FROM favourites GROUP BY 1) f ON f.post_id = s.post_id
            ON CONFLICT DO NOTHING
        """)

    def _copy(self, table: str, rows: Iterator[tuple[object, ...]] | list[tuple[int, int]]) -> None:
        with self._connection.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row(row)
