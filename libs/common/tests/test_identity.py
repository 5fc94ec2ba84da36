"""Who calls is believed only if the right one signed it, for this service, just now."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from types import SimpleNamespace
from typing import Any

import pytest
from common import identity
from common.identity import Identity, InvalidIdentity, Signer, Verifier, generate_key
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

PRIVATE, PUBLIC = generate_key("gateway")
NOTIFY_PRIVATE, NOTIFY_PUBLIC = generate_key("notify")
GATEWAY, NOTIFY = Signer(PRIVATE), Signer(NOTIFY_PRIVATE)
ADA = Identity("user", 7, "ada", "admin", frozenset({"read", "write:statuses"}), "App", "https://app.example", 11, "de")


class Clock:
    """Stands still until it is put forward."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(identity, "time", SimpleNamespace(time=made.time))
    return made


@pytest.fixture
def posts() -> Verifier:
    return Verifier("posts", json.dumps({"keys": [PUBLIC, NOTIFY_PUBLIC]}))


def part(content: Any) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return urlsafe_b64encode(raw).decode().rstrip("=")


def claims_of(token: str) -> dict[str, Any]:
    middle = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return found


def signed(claims: dict[str, Any], **header: Any) -> str:
    """A token by the gateway's own key, with any content."""
    key = OKPKey.import_key(json.loads(PRIVATE))
    return jwt.encode({"alg": "Ed25519", "kid": "gateway.1", "typ": "at+jwt", **header}, claims, key, algorithms=["Ed25519"])


def test_everything_about_the_caller_arrives(posts: Verifier) -> None:
    assert posts.verify(GATEWAY.sign(ADA, "posts")) == ADA


def test_a_token_for_another_service_is_refused(posts: Verifier) -> None:
    with pytest.raises(InvalidIdentity):
        posts.verify(GATEWAY.sign(ADA, "social"))


def test_a_token_ends_after_a_minute_and_half_of_leeway_also_when_it_was_known(posts: Verifier, clock: Clock) -> None:
    token = GATEWAY.sign(ADA, "posts")
    assert posts.verify(token) == ADA
    clock.now += 89
    assert posts.verify(token) == ADA
    clock.now += 2
    with pytest.raises(InvalidIdentity):
        posts.verify(token)


@pytest.mark.parametrize("seconds", [-91, 31])
def test_a_token_of_another_time_is_refused(posts: Verifier, clock: Clock, seconds: int) -> None:
    with pytest.raises(InvalidIdentity):
        posts.verify(GATEWAY.sign(ADA, "posts", clock.now + seconds))


def test_a_token_that_claims_to_live_long_does_not(posts: Verifier, clock: Clock) -> None:
    token = signed(claims_of(GATEWAY.sign(ADA, "posts", clock.now - 300)) | {"exp": int(clock.now) + 86_400})
    with pytest.raises(InvalidIdentity):
        posts.verify(token)


def test_old_and_new_key_are_valid_while_keys_are_changed_and_the_old_one_not_after(posts: Verifier) -> None:
    second_private, second_public = generate_key("gateway", 2)
    both = Verifier("posts", json.dumps({"keys": [PUBLIC, second_public]}))
    old, new = GATEWAY.sign(ADA, "posts"), Signer(second_private).sign(ADA, "posts")
    assert both.verify(old) == both.verify(new) == ADA
    later = Verifier("posts", json.dumps({"keys": [second_public]}))
    assert later.verify(new) == ADA
    with pytest.raises(InvalidIdentity):
        later.verify(old)


def test_somebody_elses_key_under_the_gateways_name_is_refused(posts: Verifier) -> None:
    with pytest.raises(InvalidIdentity):
        posts.verify(Signer(generate_key("gateway")[0]).sign(ADA, "posts"))


def test_a_changed_claim_or_signature_is_refused(posts: Verifier) -> None:
    token = GATEWAY.sign(ADA, "posts")
    posts.verify(token)  # being known must not help its forgeries
    head, _, signature = token.split(".")
    forged = f"{head}.{part(claims_of(token) | {'sub': '1'})}.{signature}"
    flipped = token[:-10] + ("A" if token[-10] != "A" else "B") + token[-9:]
    for wrong in (forged, flipped, token[:-20], f"{head}.{token.split('.')[1]}."):
        with pytest.raises(InvalidIdentity):
            posts.verify(wrong)


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "EdDSA", "RS256"])
def test_another_algorithm_than_ours_is_refused(posts: Verifier, algorithm: str) -> None:
    claims = claims_of(GATEWAY.sign(ADA, "posts"))
    header = {"alg": algorithm, "kid": "gateway.1", "typ": "at+jwt"}
    if algorithm == "HS256":  # the public key taken for a shared secret
        secret = OctKey.import_key(urlsafe_b64decode(PUBLIC["x"] + "=") * 2)
        token = jwt.encode(header, claims, secret, algorithms=["HS256"])
    else:
        token = f"{part(header)}.{part(claims)}.{GATEWAY.sign(ADA, 'posts').split('.')[2]}"
    for wrong in (token, token.rsplit(".", 1)[0] + "."):
        with pytest.raises(InvalidIdentity):
            posts.verify(wrong)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "a.b.c",
        "é.é.é",
        f"{part([])}.{part({})}.",
        f"{part({'alg': 'Ed25519'})}.{part({})}.",
        f"{part({'kid': 'gateway.9'})}.{part({})}.",
        f"{part({'kid': ['gateway.1']})}.{part({})}.",
        f"{part({'kid': 'gateway.1'})}.{part({})}.",
        f"{part({'kid': 'gateway.1', 'alg': 'Ed25519', 'crit': ['b64'], 'b64': False})}.{part({})}.",
        f"{part(bytes([255, 254]))}.{part({})}.",
        f"{part(b'[' * 100_000)}.{part({})}.",
    ],
)
def test_nonsense_is_refused_like_a_forgery(posts: Verifier, token: str) -> None:
    with pytest.raises(InvalidIdentity):
        posts.verify(token)


def test_a_token_made_for_something_else_is_refused(posts: Verifier) -> None:
    with pytest.raises(InvalidIdentity):
        posts.verify(signed(claims_of(GATEWAY.sign(ADA, "posts")), typ="JWT"))


@pytest.mark.parametrize("claim", ["iat", "exp", "aud", "iss", "sub", "knd", "nam", "rol", "scp"])
def test_a_signed_token_that_lacks_something_is_refused(posts: Verifier, claim: str) -> None:
    claims = claims_of(GATEWAY.sign(ADA, "posts"))
    del claims[claim]
    with pytest.raises(InvalidIdentity):
        posts.verify(signed(claims))


def test_a_service_speaks_for_itself_and_for_nobody_else(posts: Verifier) -> None:
    itself = Identity("service", name="notify")
    assert posts.verify(NOTIFY.sign(itself, "posts")) == itself
    for pretended in (ADA, Identity(), Identity("app"), Identity("service", name="gateway")):
        with pytest.raises(InvalidIdentity):
            posts.verify(NOTIFY.sign(pretended, "posts"))


def test_a_key_does_not_sign_under_another_issuers_name(posts: Verifier) -> None:
    claims = claims_of(GATEWAY.sign(ADA, "posts"))
    key = OKPKey.import_key(json.loads(NOTIFY_PRIVATE))
    token = jwt.encode({"alg": "Ed25519", "kid": "notify.1", "typ": "at+jwt"}, claims, key, algorithms=["Ed25519"])
    with pytest.raises(InvalidIdentity):
        posts.verify(token)


def test_no_more_tokens_are_remembered_than_fit(posts: Verifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_CACHE_SIZE", 3)
    for _ in range(10):
        posts.verify(GATEWAY.sign(ADA, "posts"))
    assert len(posts._known) == 3


def test_the_public_part_of_a_key_has_no_secret() -> None:
    assert "d" in json.loads(PRIVATE)
    assert "d" not in PUBLIC


@pytest.mark.parametrize(
    ("granted", "wanted", "may"),
    [
        ("write", "write:statuses", True),
        ("write:statuses", "write:statuses", True),
        ("write:statuses", "write", False),
        ("write:statuses", "write:media", False),
        ("read", "write:statuses", False),
        ("writer", "write", False),
    ],
)
def test_a_scope_covers_its_parts_and_no_more(granted: str, wanted: str, may: bool) -> None:
    assert Identity("user", scopes=frozenset({granted})).may(wanted) is may
