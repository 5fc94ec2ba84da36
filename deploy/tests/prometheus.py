"""What a metric of OpenTelemetry is called in Prometheus, and what the dashboard and the alerts ask for."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

COMPOSE: Final = Path(__file__).parents[1] / "compose"
_UNITS: Final = {"d": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds", "By": "bytes", "1": ""}
_OF_EVERY_SERIES: Final = frozenset({"job", "instance"})
_WORDS: Final = frozenset({"and", "or", "unless", "bool", "offset", "inf", "nan"})
_GROUPING: Final = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SELECTOR: Final = re.compile(r"(?<![\w.$])([a-zA-Z_:][\w:]*)\b(?!\s*\()(?:\s*\{([^}]*)\})?")


def series(metric: Metric, attributes: set[str]) -> dict[str, set[str]]:
    """The series that become of a metric, with their labels, as Prometheus' receiver of OTLP names them unless told otherwise:
    https://github.com/prometheus/otlptranslator (`UnderscoreEscapingWithSuffixes`)."""
    words = re.findall(r"[a-zA-Z0-9]+", metric.name)
    unit = "" if "{" in metric.unit else _UNITS[metric.unit]
    if unit and unit not in words:
        words.append(unit)
    kind = metric.WhichOneof("data")
    if kind == "sum" and metric.sum.is_monotonic:
        words = [word for word in words if word != "total"] + ["total"]
    if kind == "gauge" and metric.unit == "1":
        words = [word for word in words if word != "ratio"] + ["ratio"]
    name, labels = "_".join(words), _OF_EVERY_SERIES | {re.sub(r"\W", "_", attribute) for attribute in attributes}
    if kind == "histogram":
        return {f"{name}_bucket": {*labels, "le"}, f"{name}_count": {*labels}, f"{name}_sum": {*labels}}
    return {name: {*labels}}


@dataclass
class Asked:
    """The series of an expression with the labels that are matched, and the labels by which results are told apart."""

    series: list[tuple[str, set[str]]] = field(default_factory=list)
    grouped: set[str] = field(default_factory=set)


def asked(expression: str) -> Asked:
    """Take an expression apart, as far as names go."""
    found = Asked()
    bare = re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'', '""', expression)
    bare = re.sub(r"\[[^\]]*\]", "", bare)
    for labels in _GROUPING.findall(bare):
        found.grouped |= set(re.findall(r"\w+", labels))
    for name, matchers in _SELECTOR.findall(_GROUPING.sub("", bare)):
        if name.lower() not in _WORDS:
            found.series.append((name, set(re.findall(r"(\w+)\s*[=!]", matchers))))
    return found


def panels() -> list[dict[str, Any]]:
    read: dict[str, Any] = json.loads((COMPOSE / "grafana/microblog.json").read_text())
    return [panel for panel in read["panels"] if panel["type"] != "row"]


def rules() -> list[dict[str, Any]]:
    read: dict[str, Any] = yaml.safe_load((COMPOSE / "prometheus/alerts.yaml").read_text())
    return [rule for group in read["groups"] for rule in group["rules"]]


def expressions() -> Iterator[tuple[str, str, set[str]]]:
    """Whose it is, the expression, and the labels that its words name."""
    for panel in panels():
        for target in panel["targets"]:
            if "expr" in target:
                yield panel["title"], target["expr"], set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
    for rule in rules():
        yield rule["alert"], rule["expr"], set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
