"""What services refuse is told on pages in the reader's language: every sentence that a rule of ours can say is in the catalogues."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway.web import i18n

ROOT = Path(__file__).parents[2]
SOURCES = [path for folder in ("libs", "services", "gateway") for path in sorted((ROOT / folder).rglob("src/**/*.py"))]
FOR_PROGRAMS = frozenset(
    """
    BadDuration BadHook BadPage DomainError InvalidFilter KeyReused LoginRequired MarkerConflict MediaInUse NameTaken OAuthError OutsideScopes
    SharedByKeywords TopicsTooShort UnknownLanguages UnknownPolicy UnknownPrivacy UnknownVisibility
    """.split()
)
"""Said to apps, providers and operators: no form of ours can bring it about."""
BESIDE_FIELDS = frozenset({"InvalidRegistration"})
"""Told field by field: the words for each fault are the domain's."""


def said(node: ast.expr) -> str | None:
    """A sentence as the catalogue has it: what is filled in is a number."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "%(n)s" for part in node.values)
    return None


def rules() -> dict[str, ast.ClassDef]:
    """Every kind of `DomainError` by its name."""
    classes = [node for path in SOURCES for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ClassDef)]
    known = {"DomainError"}
    found: dict[str, ast.ClassDef] = {}
    for _ in range(4):  # kinds of kinds
        found |= {node.name: node for node in classes if any(isinstance(base, ast.Name) and base.id in known for base in node.bases)}
        known |= set(found)
    return found


def sentences() -> Iterator[tuple[str, str]]:
    """Who says what: the sentence of each kind, and those that are said where it is raised."""
    kinds = rules()
    for name, node in kinds.items():
        own = [call for call in ast.walk(node) if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.args]
        replaced = [text for call in own if call.func.attr == "__init__" and (text := said(call.args[0]))]  # type: ignore[attr-defined]
        for text in replaced or [ast.get_docstring(node)]:
            if text:
                yield name, text
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name) and node.exc.args:
                text = said(node.exc.args[0])
                if text and node.exc.func.id in kinds:
                    yield node.exc.func.id, text


@pytest.mark.parametrize("locale", [locale for locale in i18n.LOCALES if locale != "en"])
def test_every_rule_that_people_can_break_is_told_in_their_language(locale: str) -> None:
    catalogue = i18n.catalogue(locale)
    assert catalogue is not None
    known = {message.id for message in catalogue}
    told = {text.removeprefix("Validation failed: ") for name, text in sentences() if name not in FOR_PROGRAMS | BESIDE_FIELDS}
    assert len(told) > 30
    assert sorted(told - known) == []


def test_the_numbers_of_limits_are_those_that_hold() -> None:
    assert i18n.told("Text character limit of 300 exceeded", "de") == "Der Text ist länger als 300 Zeichen"
    assert i18n.told("Text character limit of 300 exceeded", "en") == "Text character limit of 300 exceeded"
    assert re.search(r"\b16 MB\b", i18n.told("File is larger than 16 MB or 40 million pixels", "es"))
    assert i18n.told("something new, 100 % of it", "de") == "something new, 100 % of it"
