"""`make run` itself: what it says when it can't, what it leaves behind, what survives."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from common.serving import LONGEST_END
from microblog_local.__main__ import main as runner
from microblog_local.supervisor import PATIENCE_AT_END
from stack import descendants, free_block, lives, start, wait_for

_SETTINGS = {"AUTH_ARGON2_MEMORY_KIB": "64", "AUTH_ARGON2_TIME": "1"}


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "microblog_local", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, **environment}, check=False)


def _one_line(told: subprocess.CompletedProcess[str]) -> str:
    """The only line of the error stream of a run that was refused."""
    assert told.returncode == 1, told.stderr
    lines = told.stderr.strip().splitlines()
    assert len(lines) == 1, told.stderr
    return lines[0]


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place that PostgreSQL's user may pass through."""
    made = tmp_path_factory.mktemp("runner")
    made.chmod(0o755)
    return made


def test_a_taken_port_is_named_with_what_to_do(folder: Path) -> None:
    base = free_block()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", base + 3))
        taken.listen()
        line = _one_line(_run("run", "--port", str(base), "--data", str(folder / "data")))
    assert str(base + 3) in line
    assert "PORT=" in line


@pytest.mark.parametrize(("text", "named"), [("AUTH_SECRET\n", "line 1"), ("# fine\nPATH=/tmp\n", "line 2")])
def test_a_settings_file_that_is_wrong_is_refused_by_line(folder: Path, text: str, named: str) -> None:
    (folder / "wrong.env").write_text(text)
    line = _one_line(_run("run", "--data", str(folder / "data"), "--env", str(folder / "wrong.env")))
    assert named in line
    assert "NAME=value" in line


def test_a_missing_settings_file_is_named(folder: Path) -> None:
    assert "nowhere.env" in _one_line(_run("run", "--data", str(folder / "data"), "--env", str(folder / "nowhere.env")))


def test_jars_that_cannot_be_fetched_are_told_in_one_line(folder: Path) -> None:
    nowhere = "http://127.0.0.1:1"
    home = {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), "MICROBLOG_CACHE": str(folder / "cache")}
    told = _run("run", "--port", str(free_block()), "--data", str(folder / "data"), HTTPS_PROXY=nowhere, HTTP_PROXY=nowhere, **home)
    assert "Kafka's jars can't be fetched" in _one_line(told)


def test_a_setting_that_is_wrong_stops_the_process_with_its_name(folder: Path) -> None:
    settings = {"MICROBLOG_IDENTITY_KEYS": '{"keys": []}', "POSTS_DATABASE_URL": "postgresql://p@127.0.0.1:1/p", "POSTS_POOL_SIZE": "many"}
    command = [sys.executable, "-c", "from posts.main import create_app; create_app()"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **settings}, check=False)
    assert told.returncode == 2
    assert "POSTS_POOL_SIZE" in told.stderr
    assert "POSTS_MEDIA_URL" in told.stderr


def test_many_taken_ports_stay_one_readable_line(folder: Path) -> None:
    base = free_block()
    with ExitStack() as held:
        for port in (base, *range(base + 1, base + 7)):
            held.enter_context(socket.socket()).bind(("127.0.0.1", port))
        line = _one_line(_run("run", "--port", str(base), "--data", str(folder / "data")))
    assert f"ports {base}, {base + 1}," in line
    assert "and 4 more are taken" in line


@pytest.mark.parametrize("port", ["0", "65513", "70000"])
def test_a_port_that_leaves_no_room_for_the_others_is_refused(folder: Path, port: str) -> None:
    assert "PORT is a number from 1 to 65512" in _one_line(_run("run", "--port", port, "--data", str(folder / "data")))


def test_a_full_disk_is_told_before_anything_starts(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = shutil.disk_usage(folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=100_000_000))
    monkeypatch.setattr(sys, "argv", ["microblog_local", "run", "--port", str(free_block()), "--data", str(folder / "data")])
    assert runner() == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line == f"microblog: the disk is full: the stack needs 500 MB free at {folder / 'data'}"
    assert not (folder / "data" / "runner.pid").exists()


@pytest.mark.slow
def test_a_wrong_setting_stops_the_start_with_the_name_of_the_variable(folder: Path) -> None:
    (folder / "wrong.env").write_text("POSTS_POOL_SIZE=many\nGATEWAY_MAX_IN_FLIGHT=0\n")
    told = _run("run", "--port", str(free_block()), "--data", str(folder / "data"), "--env", str(folder / "wrong.env"), "--no-demo")
    line = _one_line(told)
    assert "setting POSTS_POOL_SIZE:" in line or "setting GATEWAY_MAX_IN_FLIGHT:" in line
    assert "started again" not in told.stdout


@pytest.mark.slow
def test_a_number_of_replicas_that_is_none_is_refused(folder: Path) -> None:
    told = _run("run", "--port", str(free_block()), "--data", str(folder / "data"), MICROBLOG_TOPIC_REPLICATION="many")
    assert "setting MICROBLOG_TOPIC_REPLICATION" in _one_line(told)


def test_commands_about_a_stack_that_is_not_there_say_so(folder: Path) -> None:
    nowhere = str(folder / "nowhere")
    assert "there are no logs" in _one_line(_run("logs", "--data", nowhere))
    assert "there is no stack" in _one_line(_run("operate", "--data", nowhere, "--", "lag"))
    for command, said in (("stop", "nothing runs"), ("reset", "there is nothing")):
        told = _run(command, "--data", nowhere)
        assert (told.returncode, said in told.stdout, told.stderr) == (0, True, "")


def test_nothing_is_deleted_when_nobody_is_there_to_ask(folder: Path) -> None:
    (folder / "kept").write_text("x")
    told = subprocess.run(
        [sys.executable, "-m", "microblog_local", "reset", "--data", str(folder)], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert (told.returncode, told.stderr) == (1, "")
    assert "nothing was deleted" in told.stdout
    assert (folder / "kept").exists()


@pytest.mark.parametrize("said", ["starting the engines", "starting the services"])
def test_ctrl_c_while_it_starts_leaves_no_process(folder: Path, said: str) -> None:
    command = [sys.executable, "-m", "microblog_local", "run", "--port", str(free_block()), "--data", str(folder / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while said not in process.stdout.readline():
            assert process.poll() is None
        processes = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert [pid for pid in processes if lives(pid)] == []


def test_a_process_has_the_time_that_its_end_may_take_before_it_is_killed() -> None:
    assert PATIENCE_AT_END >= LONGEST_END + 2


def test_ctrl_c_leaves_no_process_and_the_data_stays(folder: Path) -> None:
    first = start(folder / "data", _SETTINGS)
    author = first.new_person("author")
    post = author.write("still here tomorrow")
    processes = descendants(first.process.pid)
    assert len(processes) > 15
    assert first.stop() == 0
    assert "is killed" not in (folder / "data.out").read_text()
    assert [pid for pid in processes if lives(pid)] == []
    again = start(folder / "data", _SETTINGS)
    try:
        with again.client(author.token) as client:
            assert client.get(f"/api/v1/statuses/{post['id']}").json()["content"] == post["content"]
            assert [s["id"] for s in client.get("/api/v1/timelines/home").json()] == [post["id"]]
    finally:
        processes = descendants(again.process.pid)
        os.kill(again.process.pid, signal.SIGKILL)
        again.process.wait(10)
    wait_for(lambda: not any(map(lives, processes)), "the end of every process after the runner was killed", 20)


@pytest.mark.slow
def test_the_settings_for_client_test_suites_let_anybody_in_at_once_and_say_so(folder: Path) -> None:
    lines = [line for line in (Path(__file__).parents[1] / "local/conformance.env").read_text().splitlines() if not line.startswith("#")]
    running = start(folder / "data", dict(line.split("=", 1) for line in lines))
    try:
        assert "PROTECTIONS ARE OFF (AUTH_CONFIRM_EMAIL," in (folder / "data.out").read_text()
        people = [running.new_person(confirmed=False) for _ in range(8)]
        assert all(person.write("hello")["content"] == "<p>hello</p>" for person in people)
        app, _ = running.app_token()
        asked = {
            "grant_type": "password",
            "username": f"{people[0].name}@people.example",
            "password": "correct horse battery",
            "scope": "read",
        }
        with running.client() as client:
            for _ in range(30):
                answer = client.post("/oauth/token", data={**asked, "client_id": app["client_id"], "client_secret": app["client_secret"]})
                assert answer.status_code == 200, answer.text
            assert "x-ratelimit-limit" not in answer.headers
    finally:
        assert running.stop() == 0


@pytest.mark.slow
def test_without_such_settings_everybody_is_told_how_often_they_may_call(folder: Path) -> None:
    running = start(folder / "data", _SETTINGS)
    try:
        person, other = running.new_person(), running.new_person()
        told = [person.client.get("/api/v1/timelines/home") for _ in range(300)]
        left = [int(answer.headers["x-ratelimit-remaining"]) for answer in told if answer.status_code == 200]
        assert left == list(range(left[0], -1, -1))
        assert left[0] > 290  # some were used on the way here
        refused = told[-1]
        assert (refused.status_code, refused.json()) == (429, {"error": "Too many requests"})
        assert (refused.headers["x-ratelimit-limit"], refused.headers["x-ratelimit-remaining"]) == ("300", "0")
        assert 0 < int(refused.headers["retry-after"]) <= 300
        assert other.client.get("/api/v1/timelines/home").status_code == 200
        status = other.write("short-lived")["id"]
        deleted = other.client.delete(f"/api/v1/statuses/{status}")
        assert (deleted.headers["x-ratelimit-limit"], deleted.headers["x-ratelimit-remaining"]) == ("30", "29")
    finally:
        assert running.stop() == 0
