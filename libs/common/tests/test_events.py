"""Contracts between images built at different times: what is unknown is ignored, what is required is insisted upon."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from common.events import CONTRACTS, AccountState, Event, PostState
from pydantic import ValidationError

SCHEMAS = Path(__file__).parents[1] / "schemas"
MOMENT = "2026-01-01T00:00:00Z"
PICTURE = {"media_id": 5, "url": "u", "preview_url": "p", "width": 2, "height": 3, "preview_width": 1, "preview_height": 1}

LEAST: dict[str, tuple[dict[str, Any], str]] = {
    "AccountState": ({"version": 1, "account_id": 7, "username": "ada", "created_at": MOMENT}, "7"),
    "SecurityEvent": ({"kind": "tokens_revoked", "account_id": 7, "happened_at": MOMENT}, "7"),
    "PostState": ({"version": 1, "post_id": 9, "author_id": 7, "created_at": MOMENT}, "9"),
    "ProfileState": ({"version": 1, "account_id": 7, "username": "ada", "created_at": MOMENT}, "7"),
    "NoticeTrigger": (
        {
            "dedupe": "f",
            "kind": "follow",
            "account_id": 7,
            "actor_id": 8,
            "actor_username": "bob",
            "actor_name": "Bob",
            "happened_at": MOMENT,
        },
        "7",
    ),
    "FeedMoment": ({"kind": "filters_changed", "account_id": 7}, "7"),
}
"""What a writer of the first version must send, and the key that it travels under. Never edited: old events stay readable."""

every_contract = pytest.mark.parametrize("contract", CONTRACTS, ids=lambda event: event.__name__)


@every_contract
def test_an_event_with_only_what_is_required_is_read_and_reads_back_the_same(contract: type[Event]) -> None:
    fields, key = LEAST[contract.__name__]
    event = contract.model_validate_json(json.dumps(fields))
    assert event.key == key
    assert contract.model_validate_json(event.model_dump_json()) == event


@every_contract
def test_fields_of_the_future_are_ignored(contract: type[Event]) -> None:
    fields, _ = LEAST[contract.__name__]
    newer = contract.model_validate_json(json.dumps({**fields, "unheard_of": {"deep": [1]}}))
    assert newer == contract.model_validate_json(json.dumps(fields))


@every_contract
def test_each_required_field_is_insisted_upon(contract: type[Event]) -> None:
    fields, _ = LEAST[contract.__name__]
    for missing in fields:
        with pytest.raises(ValidationError):
            contract.model_validate_json(json.dumps({name: value for name, value in fields.items() if name != missing}))


@every_contract
def test_the_frozen_schema_is_what_the_class_says(contract: type[Event]) -> None:
    frozen = json.loads((SCHEMAS / f"{contract.data_schema()}.json").read_text("utf-8"))
    assert frozen == contract.model_json_schema()


def test_no_frozen_schema_was_lost_or_invented() -> None:
    assert {f"{contract.data_schema()}.json" for contract in CONTRACTS} <= {path.name for path in SCHEMAS.iterdir()}


def test_what_lies_inside_a_post_is_forward_compatible_too() -> None:
    fields = {
        **LEAST["PostState"][0],
        "media": [{**PICTURE, "unheard_of": 1}],
        "tags": [{"name": "été", "display": "Été", "unheard_of": 1}],
    }
    post = PostState.model_validate_json(json.dumps(fields))
    assert (post.media[0].media_id, post.tags[0].display) == (5, "Été")
    assert PostState.model_validate_json(post.model_dump_json()) == post


def test_values_that_a_reader_does_not_know_are_strings_for_it() -> None:
    assert AccountState.model_validate({**LEAST["AccountState"][0], "state": "hibernating", "role": "bishop"}).state == "hibernating"


def test_ids_of_64_bits_and_moments_survive_the_journey() -> None:
    moment = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
    post = PostState(version=1, post_id=(1 << 63) - 1, author_id=1, created_at=moment)
    again = PostState.model_validate_json(post.model_dump_json())
    assert (again.post_id, again.created_at) == (post.post_id, moment)


@pytest.mark.parametrize(
    ("state", "deleted", "visible"),
    [("active", False, True), ("active", True, False), ("suspended", False, False), ("unconfirmed", False, False)],
)
def test_only_active_accounts_are_visible(state: str, deleted: bool, visible: bool) -> None:
    account = AccountState(
        version=1, account_id=1, username="ada", state=state, deleted=deleted, created_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert account.visible is visible
