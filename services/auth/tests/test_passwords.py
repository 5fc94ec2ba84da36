import asyncio

import pytest
from auth.domain import Busy
from auth.passwords import Passwords
from auth.secrets import digest, new_secret, one_time_token, request_of

pytestmark = pytest.mark.anyio


async def test_only_the_right_password_fits_its_hash() -> None:
    passwords = Passwords(8, 1)
    encoded = await passwords.hash("correct horse")
    assert encoded.startswith("$argon2id$")
    assert "correct horse" not in encoded
    assert await passwords.verify("correct horse", encoded)
    assert not await passwords.verify("wrong horse", encoded)
    assert await passwords.hash("correct horse") != encoded


async def test_nobody_costs_the_same_work_and_never_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords, verified = Passwords(8, 1), []
    work = passwords._verify

    def watched(encoded: str, password: str) -> bool:
        verified.append(encoded)
        return work(encoded, password)

    monkeypatch.setattr(passwords, "_verify", watched)
    assert not await passwords.verify("a password that nobody has", None)
    assert len(verified) == 1
    assert verified[0].startswith("$argon2id$v=19$m=8,t=1,p=1$")


async def test_a_hash_made_with_other_parameters_is_outdated() -> None:
    encoded = await Passwords(8, 1).hash("correct horse")
    assert not Passwords(8, 1).outdated(encoded)
    assert Passwords(16, 1).outdated(encoded)


async def test_whoever_comes_to_a_full_queue_is_sent_away_at_once_and_the_queue_empties() -> None:
    passwords = Passwords(8, 1)
    answers = await asyncio.gather(*(passwords.hash(f"number {n}") for n in range(80)), return_exceptions=True)
    assert sum(isinstance(answer, Busy) for answer in answers) == 80 - 64
    assert await passwords.hash("after the crowd")


def test_a_link_is_the_same_for_the_same_request_and_void_for_anything_else() -> None:
    made = one_time_token("key", 7, "reset", "hash")
    assert made == one_time_token("key", 7, "reset", "hash")
    others = {("other", 7, "reset", "hash"), ("key", 8, "reset", "hash"), ("key", 7, "confirmation", "hash"), ("key", 7, "reset", "new")}
    assert made not in {one_time_token(*other) for other in others}
    assert request_of(made) == 7


@pytest.mark.parametrize("token", ["", ".", "x.y", "-1.y", "1" * 20, "٣.y"])
def test_a_token_that_names_no_request_is_seen_without_asking_the_database(token: str) -> None:
    assert request_of(token) is None


def test_a_secret_has_256_bits_and_is_not_what_is_stored() -> None:
    secret = new_secret()
    assert len(secret) == 43
    assert new_secret() != secret
    assert len(digest(secret)) == 32
    assert secret.encode() not in digest(secret)
