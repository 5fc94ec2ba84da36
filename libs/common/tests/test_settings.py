"""A wrong setting ends the process with the name of its variable and without its value."""

import json

import pytest
from common.settings import DatabaseSettings, SharedSettings, load
from pydantic_settings import SettingsConfigDict


class PostsSettings(DatabaseSettings):
    model_config = SettingsConfigDict(env_prefix="POSTS_", frozen=True)

    networks: list[str] = []


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MICROBLOG_IDENTITY_KEYS", '{"keys": []}')
    monkeypatch.setenv("POSTS_DATABASE_URL", "postgresql://posts:canary@db/posts")


def refused(capsys: pytest.CaptureFixture[str], kind: type[SharedSettings] | type[DatabaseSettings]) -> list[str]:
    with pytest.raises(SystemExit) as ended:
        load(kind)
    assert ended.value.code == 2
    written = capsys.readouterr().err
    assert "canary" not in written
    return [str(json.loads(line)["message"]) for line in written.splitlines()]


def test_what_the_environment_says_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MICROBLOG_PUBLIC_URL", "https://microblog.example:8443")
    shared, own = load(SharedSettings), load(PostsSettings)
    assert (shared.public_url, shared.host) == ("https://microblog.example:8443", "microblog.example:8443")
    assert own.database_url.get_secret_value() == "postgresql://posts:canary@db/posts"
    assert "canary" not in f"{own!r} {own}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MICROBLOG_PUBLIC_URL", "microblog.example"),
        ("MICROBLOG_PUBLIC_URL", "https://microblog.example/"),
        ("MICROBLOG_PUBLIC_URL", "ftp://microblog.example"),
        ("MICROBLOG_LOG_LEVEL", "canary"),
        ("MICROBLOG_OTLP_ENDPOINT", "collector:4318"),
        ("MICROBLOG_OTLP_ENDPOINT", "http://:4318"),
        ("MICROBLOG_OTLP_ENDPOINT", "http://collector:99999"),
        ("MICROBLOG_TOPIC_REPLICATION", "0"),
    ],
)
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    (message,) = refused(capsys, SharedSettings)
    assert message.startswith(f"setting {name}: ")


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MICROBLOG_OTLP_ENDPOINT", "")
    assert load(SharedSettings).otlp_endpoint is None
    monkeypatch.setenv("MICROBLOG_IDENTITY_KEYS", "")
    (message,) = refused(capsys, SharedSettings)
    assert message == "setting MICROBLOG_IDENTITY_KEYS: Field required"


def test_every_wrong_variable_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("POSTS_POOL_SIZE", "canary")
    monkeypatch.delenv("POSTS_DATABASE_URL")
    messages = refused(capsys, PostsSettings)
    assert sorted(message.split(":")[0] for message in messages) == ["setting POSTS_DATABASE_URL", "setting POSTS_POOL_SIZE"]


def test_a_list_that_is_no_json_is_refused_like_any_other(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("POSTS_NETWORKS", "canary, 10.0.0.0/8")
    (message,) = refused(capsys, PostsSettings)
    assert message.startswith("setting POSTS_NETWORKS: ")


def test_a_missing_secret_has_no_default(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("MICROBLOG_IDENTITY_KEYS")
    (message,) = refused(capsys, SharedSettings)
    assert message == "setting MICROBLOG_IDENTITY_KEYS: Field required"
