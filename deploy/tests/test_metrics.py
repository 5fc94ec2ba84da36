"""Dashboard and alerts ask for metrics, and labels of them, that processes do send: what those are is taken from processes that run."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from common.identity import generate_key
from fakes.collector import FakeCollector
from fakes.server import serving
from prometheus import COMPOSE, asked, expressions, panels, rules, series
from stack import wait_for

ROOT = Path(__file__).parents[2]
ASKING = list(expressions())
LATE = {"microblog.outbox.waiting", "microblog.mails", "microblog.translation.budget.used"}
"""What is told once a database was asked."""


def wrong(expression: str, named: set[str], sent: dict[str, set[str]]) -> list[str]:
    """What an expression asks for that nobody sends."""
    found = asked(expression)
    known = set().union(*(sent.get(name, set()) for name, _ in found.series))
    problems = [f"no metric {name}" for name, _ in found.series if name not in sent]
    problems += [f"no label {label} of {name}" for name, labels in found.series if name in sent for label in labels - sent[name]]
    problems += [f"no label {label}" for label in sorted(found.grouped - known)]
    return problems + [f"no result has the label {label}" for label in sorted(named - found.grouped)]


@pytest.fixture(scope="module")
def collector(new_database_url: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> FakeCollector:
    """What processes told that did a little of everything."""
    folder = tmp_path_factory.mktemp("measured")
    (private, public), made = generate_key("gateway"), FakeCollector()
    services = ("auth", "posts", "social", "search", "notify", "translate")
    with serving(made.app()) as endpoint:
        environment = {
            **{name: value for name, value in os.environ.items() if name == "PATH"},
            "MICROBLOG_OTLP_ENDPOINT": endpoint,
            "MICROBLOG_KAFKA_SERVERS": "127.0.0.1:1",
            "MICROBLOG_IDENTITY_KEYS": json.dumps({"keys": [public]}),
            "MICROBLOG_LOG_LEVEL": "ERROR",
            "POSTS_MEDIA_URL": folder.as_uri(),
            "NOTIFY_MAIL_FOLDER": str(folder),
            "NOTIFY_AUTH_URL": "http://127.0.0.1:1",
            "NOTIFY_SIGNING_KEY": private,
            "NOTIFY_UNSUBSCRIBE_SECRET": "u" * 32,
            "GATEWAY_SIGNING_KEY": private,
            "GATEWAY_COOKIE_SECRET": "c" * 32,
            "GATEWAY_MAX_BODY_BYTES": "1",
            **{f"GATEWAY_{name.upper()}_URL": "http://127.0.0.1:1" for name in services},
            **{f"{name.upper()}_DATABASE_URL": new_database_url(name) for name in ("posts", "notify", "translate")},
        }
        command = [sys.executable, str(Path(__file__).parent / "measuring.py")]
        with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE) as process:
            try:
                wait_for(lambda: set(made.metrics) >= LATE or process.poll() is not None, "what databases tell", 60)
                process.communicate(timeout=30)
            finally:
                process.kill()
        assert process.returncode == 0
    return made


@pytest.fixture(scope="module")
def sent(collector: FakeCollector) -> dict[str, set[str]]:
    """The series that become of it, with their labels."""
    made = {}
    for name, metric in collector.metrics.items():
        made |= series(metric, collector.attributes[name])
    return made


@pytest.mark.parametrize(("expression", "named"), [asking[1:] for asking in ASKING], ids=[asking[0] for asking in ASKING])
def test_what_is_asked_for_is_sent(expression: str, named: set[str], sent: dict[str, set[str]]) -> None:
    assert asked(expression).series
    assert wrong(expression, named, sent) == []


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("max by (job) (microblog_outbox_wating)", "no metric microblog_outbox_wating"),
        ("rate(microblog_dead_letters[5m])", "no metric microblog_dead_letters"),
        ("microblog_outbox_age > 60", "no metric microblog_outbox_age"),
        ("rate(http_server_request_duration_seconds_total[5m])", "no metric http_server_request_duration_seconds_total"),
        ('microblog_mails{status="new"}', "no label status of microblog_mails"),
        ("sum by (topics) (microblog_consumer_lag)", "no label topics"),
        ("sum(microblog_consumer_lag)", "no result has the label job"),
    ],
)
def test_a_slip_of_the_pen_is_found(expression: str, problem: str, sent: dict[str, set[str]]) -> None:
    assert problem in wrong(expression, {"job"}, sent)


def test_whatever_is_sent_stands_on_the_dashboard(sent: dict[str, set[str]]) -> None:
    shown = {name for panel in panels() for target in panel["targets"] for name, _ in asked(target.get("expr", "")).series}
    stems = {name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum") for name in shown}
    assert {name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum") for name in sent} - stems == set()


def test_the_route_of_a_request_is_told_for_pages_and_api_alike(collector: FakeCollector) -> None:
    points = collector.metrics["http.server.request.duration"].histogram.data_points
    routes = {pair.value.string_value for point in points for pair in point.attributes if pair.key == "http.route"}
    assert routes - {"other"} == {"/login", "/api/v1/statuses", "/api/v1/statuses/{id}", "/health/live"}


def test_what_was_full_and_which_limit_was_reached_is_told(collector: FakeCollector) -> None:
    points = collector.metrics["microblog.requests.refused"].sum.data_points
    reasons = {tuple(pair.value.string_value or pair.value.int_value for pair in point.attributes) for point in points}
    assert reasons == {(503, "bodies"), (429, "delete")}


def test_every_alert_has_a_section_that_says_what_to_do_and_no_section_is_left_over() -> None:
    headings = set(re.findall(r"^## (\w+)$", (ROOT / "docs/alerts.md").read_text(), re.M))
    assert {rule["alert"] for rule in rules()} == headings
    assert all(rule["annotations"]["runbook"] == f"docs/alerts.md#{rule['alert'].lower()}" for rule in rules())
    assert {rule["labels"]["severity"] for rule in rules()} == {"critical", "warning"}


def test_every_alert_is_tried_with_figures_that_call_for_it() -> None:
    tried = yaml.safe_load((COMPOSE / "prometheus/alerts.test.yaml").read_text())["tests"]
    told = {case["alertname"] for test in tried for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert told == {rule["alert"] for rule in rules()}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool here")
def test_alerts_are_told_when_they_should_be_and_not_before() -> None:
    done = subprocess.run(
        ["promtool", "test", "rules", COMPOSE / "prometheus/alerts.test.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
