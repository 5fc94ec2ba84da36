import json

import psycopg
import pytest
from auth.cli import cli
from typer.testing import CliRunner


@pytest.fixture
def run(environment: None) -> CliRunner:
    return CliRunner()


def events(database_url: str) -> list[tuple[str, str, str]]:
    """Type, state and role of what was announced about accounts."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT type, body FROM outbox WHERE topic = 'auth.accounts' ORDER BY id").fetchall()
    return [(row[0], *(json.loads(row[1])[name] for name in ("state", "role"))) for row in rows]


def test_the_first_admin_is_made_from_standard_input(run: CliRunner, database_url: str) -> None:
    arguments = ["create-account", "--username", "Ada", "--email", "ada@example.org", "--role", "admin", "--password-stdin"]
    made = run.invoke(cli, arguments, input="correct horse battery\n")
    assert made.exit_code == 0, made.output
    assert "correct horse" not in made.output
    assert events(database_url) == [("account.registered", "active", "admin")]
    assert "admin\tactive" in run.invoke(cli, ["list"]).output


def test_a_password_is_made_and_shown_once(run: CliRunner) -> None:
    made = run.invoke(cli, ["create-account", "--username", "ada", "--email", "ada@example.org"])
    password = made.output.strip().rsplit(" ", 1)[1]
    assert len(password) >= 16


def test_operators_change_roles_and_states_through_the_same_events(run: CliRunner, database_url: str) -> None:
    run.invoke(cli, ["create-account", "--username", "ada", "--email", "ada@example.org"])
    for arguments in (["set-role", "ada", "moderator"], ["set-state", "ada", "suspended"], ["set-state", "ADA@example.org", "active"]):
        assert run.invoke(cli, arguments).exit_code == 0
    assert events(database_url)[1:] == [
        ("account.role_changed", "active", "moderator"),
        ("account.suspended", "suspended", "moderator"),
        ("account.active", "active", "moderator"),
    ]
    assert run.invoke(cli, ["revoke-tokens", "ada"]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["set-role", "nobody", "admin"], "nobody is called nobody"),
        (["set-role", "nobody", "emperor"], "role is one of user, moderator, admin"),
        (["set-state", "nobody", "gone"], "state is active, suspended or disabled"),
        (["create-account", "--username", "root", "--email", "x"], "Username is reserved, E-mail is invalid"),
    ],
)
def test_a_mistake_is_told_and_changes_nothing(run: CliRunner, database_url: str, arguments: list[str], told: str) -> None:
    refused = run.invoke(cli, arguments)
    assert refused.exit_code != 0
    assert told in refused.output
    assert events(database_url) == []
