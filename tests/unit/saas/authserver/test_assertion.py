"""What a client assertion must say, and be signed by (RFC 7523 section 3)."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from saas.authserver.assertion import TYPE, assertion_of, verify
from saas.authserver.client import Client
from saas.authserver.client_keys import checked_set, read_set
from saas.authserver.errors import InvalidClient, InvalidRequest

ISSUER = "https://acme.example"
AUDIENCES = {ISSUER, ISSUER + "/oauth2/token"}
NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEYS: dict[str, Any] = {
    "ES256": ECKey.generate_key("P-256", {"kid": "ec"}),
    "RS256": RSAKey.generate_key(2048, {"kid": "rsa"}),
    "EdDSA": OKPKey.generate_key("Ed25519", {"kid": "ed"}),
}
KEYS["PS256"] = KEYS["RS256"]
STRANGER: Any = ECKey.generate_key("P-256", {"kid": "ec"})


def client(*keys: Any) -> Client:
    registered = json.dumps({"keys": [key.as_dict(private=False) for key in keys]})
    method = frozenset({"private_key_jwt"})
    return Client("app_1", frozenset(), method, (), (), keys=read_set(checked_set(registered)))


CLIENT = client(KEYS["ES256"], KEYS["RS256"], KEYS["EdDSA"])


def claims(**changed: object) -> dict[str, Any]:
    now = int(NOW.timestamp())
    given = {"iss": "app_1", "sub": "app_1", "aud": ISSUER, "iat": now, "exp": now + 60, "jti": "j1", **changed}
    return {name: value for name, value in given.items() if value is not None}


def sign(payload: object, alg: str = "ES256", key: Any = None, **header: object) -> str:
    """By hand: joserfc refuses to make what is wrong, and EdDSA, which it takes for outdated."""
    key = key or KEYS[alg]
    full = {"alg": alg, "kid": key.kid, **header}
    full = {name: value for name, value in full.items() if value is not None}
    signing_input = f"{encode(full)}.{encode(payload)}".encode()
    return f"{signing_input.decode()}.{encode(jws.JWSRegistry.algorithms[alg].sign(signing_input, key))}"


def unsigned(header: dict[str, Any]) -> str:
    return f"{encode(header)}.{encode(claims())}."


def encode(part: object) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize("alg", ["ES256", "RS256", "PS256", "EdDSA"])
def test_a_client_signs_by_what_its_keys_are_for(alg: str) -> None:
    assert verify(sign(claims(), alg), CLIENT, AUDIENCES, NOW)
    assert verify(sign(claims(), alg, kid=None), CLIENT, AUDIENCES, NOW)


def test_its_use_is_remembered_for_longer_than_it_is_good() -> None:
    proof, again = (verify(sign(claims()), CLIENT, AUDIENCES, NOW) for _ in range(2))
    assert proof == again
    assert proof.expires_at >= NOW + timedelta(seconds=60)
    assert verify(sign(claims(jti="j2")), CLIENT, AUDIENCES, NOW).digest != proof.digest


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": [ISSUER]},
        {"aud": ISSUER + "/oauth2/token"},
        {"aud": [ISSUER, ISSUER + "/oauth2/token"]},
        {"iat": None},
        {"exp": NOW.timestamp() + 3600},
        {"iat": int(NOW.timestamp()) + 5, "exp": int(NOW.timestamp()) + 3605},
    ],
)
def test_what_it_may_say(changed: dict[str, Any]) -> None:
    assert verify(sign(claims(**changed)), CLIENT, AUDIENCES, NOW)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("iss", [None, "app_2", ["app_1"], 7]),
        ("sub", [None, "app_2", ["app_1"], 7]),
        (
            "aud",
            [None, [], "https://other.example", [ISSUER, "https://other.example"], {"a": 1}, ISSUER + "/", [[ISSUER]]],
        ),
        ("exp", [None, 0, -1, "soon", True, NOW.timestamp(), NOW.timestamp() + 3611, float("nan"), float("inf")]),
        ("iat", ["now", NOW.timestamp() + 11, True]),
        ("nbf", ["now", NOW.timestamp() + 11]),
        ("jti", [None, "", 7, "x" * 256, ["j"]]),
    ],
)
def test_what_it_may_not_say(name: str, values: list[object]) -> None:
    for value in values:
        with pytest.raises(InvalidClient):
            verify(sign(claims(**{name: value})), CLIENT, AUDIENCES, NOW)


@pytest.mark.parametrize(
    "assertion",
    [
        sign(claims(), key=STRANGER),
        sign(claims(), key=STRANGER, kid="rsa"),
        sign(claims(), key=STRANGER, jwk=STRANGER.as_dict(private=False)),
        sign(claims(), kid="rsa"),
        sign(claims(), kid="unknown"),
        sign(claims(), kid=["ec"]),
        sign(claims(), kid={}),
        sign(claims(), "HS256", OctKey.generate_key(256, {"kid": "ec"})),
        unsigned({"alg": "none"}),
        unsigned({"alg": "ES256"}),
        unsigned({"alg": ["ES256"]}),
        unsigned({"alg": "ES256", "crit": ["exp"], "exp": 1}),
        unsigned({"alg": "ES256", "b64": False}),
        sign("text"),
        sign([claims()]),
        sign(claims(jti="x" * 5000)),
        "a.b.c",
        "",
        "caf\u00e9",
        sign(claims())[:-4],
        sign(claims()) + ".x",
    ],
)
def test_what_is_not_signed_by_a_registered_key(assertion: str) -> None:
    with pytest.raises(InvalidClient):
        verify(assertion, CLIENT, AUDIENCES, NOW)


def test_a_key_that_is_for_one_algorithm_verifies_no_other() -> None:
    rsa = RSAKey.import_key({**KEYS["RS256"].as_dict(private=True), "alg": "PS256"})
    assert verify(sign(claims(), "PS256", rsa), client(rsa), AUDIENCES, NOW)
    with pytest.raises(InvalidClient):
        verify(sign(claims(), "RS256"), client(rsa), AUDIENCES, NOW)


def test_a_client_without_keys_proves_nothing() -> None:
    secret = Client("app_1", frozenset(), frozenset({"client_secret_basic"}), (), ())
    with pytest.raises(InvalidClient):
        verify(sign(claims()), secret, AUDIENCES, NOW)


def test_the_form_names_the_client_in_the_assertion() -> None:
    assertion = sign(claims())
    assert assertion_of({"client_assertion_type": TYPE, "client_assertion": assertion}) == ("app_1", assertion)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_assertion_type": TYPE}, InvalidRequest),
        ({"client_assertion": sign(claims())}, InvalidRequest),
        ({"client_assertion_type": "urn:other", "client_assertion": sign(claims())}, InvalidRequest),
        ({"client_assertion_type": TYPE, "client_assertion": "x"}, InvalidClient),
        ({"client_assertion_type": TYPE, "client_assertion": sign(claims(sub=None))}, InvalidClient),
        ({"client_assertion_type": TYPE, "client_assertion": sign(claims(sub=7))}, InvalidClient),
    ],
)
def test_a_form_without_a_readable_assertion(form: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        assertion_of(form)
