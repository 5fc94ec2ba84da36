"""The program before this one beside it: both read and write the same databases and topics, as while replicas are replaced one by one.

`UPGRADE_FROM` names the commit before; without it that is the parent of what is checked out.
"""

import os
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from balancer import Balancer, balancing
from microblog_local.plan import SERVICES, Plan, Ports, kept_secrets
from operating import settled, unsent
from stack import Person, Stack, free_block, start, wait_for

from conftest import FAST

sys.path.insert(0, str(Path(__file__).parents[1]))

from earlier import Unknown, installed

pytestmark = pytest.mark.slow
POSTS = 40


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of the program before this one, with what it asks for installed in an environment of its own."""
    try:
        return installed(os.environ.get("UPGRADE_FROM", "HEAD~1"), tmp_path_factory.mktemp("before"))
    except Unknown as unknown:
        pytest.skip(f"the program before this one can't be had: {unknown}")


@contextmanager
def beside(stack: Stack, settings: dict[str, str], python: Path, port: int) -> Iterator[Stack]:
    """Run every process of the stack a second time, as another replica, from another program; `port` is its gateway's."""
    other = replace(stack, port=port)
    with ExitStack() as ending:
        processes = Plan(Ports(stack.port), stack.data, settings).processes(kept_secrets(stack.data))
        for process in processes:
            replica = {"MICROBLOG_REPLICA": process.environment["MICROBLOG_REPLICA"].replace("-0", "-1")}
            program = ["gateway.serving"] if process.edge else ["common.serving", process.target]
            command = [str(python), "-m", *program, "--port", str(process.port - stack.port + other.port)]
            log = ending.enter_context((stack.data / f"before {process.name}.log").open("wb"))
            running = subprocess.Popen(command, stdout=log, stderr=log, env={"PATH": os.environ["PATH"], **process.environment, **replica})
            ending.callback(running.wait, 40)
            ending.callback(running.terminate)
        for process in processes:
            url = f"http://127.0.0.1:{process.port - stack.port + other.port}/health/{'ready' if process.edge else 'self'}"
            wait_for(lambda url=url: ready(url), f"{process.name} of the program before this one", 60)  # type: ignore[misc]
        yield other


def ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=3).status_code == 200
    except httpx.HTTPError:
        return False


def through(stack: Stack, person: Person) -> Person:
    """The same person, who asks another gateway."""
    return Person(person.name, person.token, stack.client(person.token), person.account)


def followed(stack: Stack, author: Person, fan: Person) -> int:
    """How often the author was mailed of this follower."""
    return sum(fan.name in mail.text for mail in stack.mails_to(f"{author.name}@people.example"))


def found(reader: Person) -> set[str]:
    """What the search has of the posts of this test."""
    pages = [reader.get("/api/v2/search", q="between programs", type="statuses", limit=20, offset=offset) for offset in (0, 20, 40)]
    return {entry["id"] for page in pages for entry in page["statuses"] if "between programs" in entry["content"]}


def test_both_programs_serve_one_community(before: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    port = free_block()
    old_alone = start(tmp_path / "data", FAST, port=port, python=str(before))
    try:
        author, reader = old_alone.new_person("author"), old_alone.new_person("reader")
        reader.follow(author)
        first = author.write("written before there was another program")["id"]
    finally:
        assert old_alone.stop() == 0

    beyond = free_block()
    balancers = {name: Balancer([port + 1 + number, beyond + 1 + number]) for number, name in enumerate(SERVICES)}
    with balancing(*balancers.values()):
        settings = {**FAST, **{f"GATEWAY_{name.upper()}_URL": balancer.url for name, balancer in balancers.items()}}
        settings["NOTIFY_AUTH_URL"] = balancers["auth"].url
        new = start(tmp_path / "data", settings, port=port)
        try:
            with beside(new, settings, before, beyond) as old:
                ids = community(new, old, author, reader)
                for name, balancer in balancers.items():
                    assert len(balancer.given) == 2, f"{name}: only one of both was asked, {balancer.given}"
            for person in (author, reader):  # what the old left behind is the new one's
                assert Counter(entry["id"] for entry in person.pages("/api/v1/timelines/home")) == Counter([first, *ids])
        finally:
            assert new.stop() == 0


def community(new: Stack, old: Stack, author: Person, reader: Person) -> list[str]:
    """Have people use both at once; returns the posts of the author that remain. Nothing is lost, doubled or refused."""
    gateways = [new, old]

    def write(number: int) -> str:
        word = f"between programs {number} {secrets.token_hex(3)}"
        mine, yours = through(gateways[number % 2], author), through(gateways[(number + 1) % 2], reader)
        post = mine.write(f"{word} @{reader.name}")
        if number % 4 == 1:
            post = mine.client.put(f"/api/v1/statuses/{post['id']}", json={"status": f"{word}, edited, @{reader.name}"}).json()
        yours.post(f"/api/v1/statuses/{post['id']}/favourite")
        shown = yours.get(f"/api/v1/statuses/{post['id']}")
        assert shown["content"] == post["content"], "read after write, by another, through the other gateway"
        if number % 8 == 7:
            assert mine.client.delete(f"/api/v1/statuses/{post['id']}").status_code == 200
            return ""
        return str(post["id"])

    with ThreadPoolExecutor(4) as pool:
        ids = [an_id for an_id in pool.map(write, range(POSTS)) if an_id]
    wait_for(lambda: unsent(new) == 0 and settled(new), "everybody to have read everything", 60)
    for stack in gateways:
        home = [entry["id"] for entry in through(stack, reader).pages("/api/v1/timelines/home")]
        assert Counter(home[:-1]) == Counter(ids)
        assert home == sorted(home, key=int, reverse=True)
        assert all(entry["favourites_count"] == 1 for entry in through(stack, author).pages("/api/v1/timelines/home")[:-1])
        wait_for(lambda stack=stack: found(through(stack, reader)) == set(ids), "the search to find all")  # type: ignore[misc]
        kinds = Counter(entry["type"] for entry in through(stack, reader).pages("/api/v1/notifications"))
        assert kinds["mention"] == len(ids)
    fan = old.new_person("fan")
    through(new, fan).follow(author)
    wait_for(lambda: followed(new, author, fan) > 0, "the mail about a follower")
    assert followed(new, author, fan) == 1
    return ids
