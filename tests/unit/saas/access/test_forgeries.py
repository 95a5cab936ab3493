"""Tokens as an attacker makes them: from what is public, or from another tenant's."""

import base64
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from saas.access import jwt as checks
from saas.access.errors import InvalidToken
from saas.access.verifier import TokenVerifier
from tests.unit.saas.access.conftest import refused
from tests.unit.saas.access.world import World

Forge = Callable[[World], Awaitable[str]]


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


async def test_a_token_of_one_tenant_is_nothing_at_the_other(world: World, verifier: TokenVerifier) -> None:
    token = await world.token(world.acme)
    assert await verifier.verify(world.acme, token)  # and being remembered there does not help here
    assert await refused(verifier, world.globex, token) == checks.WRONG_ISSUER


async def test_saying_the_other_tenants_name_does_not_help(world: World, verifier: TokenVerifier) -> None:
    kid, key = await world.signing_key(world.acme)
    claims = world.claims(world.globex)
    token = jwt.encode({"typ": "at+jwt", "alg": "ES256", "kid": kid}, claims, key)
    assert await refused(verifier, world.globex, token) == checks.UNKNOWN_KEY
    foreign_kid, _ = await world.signing_key(world.globex)
    token = jwt.encode({"typ": "at+jwt", "alg": "ES256", "kid": foreign_kid}, claims, key)
    assert await refused(verifier, world.globex, token) == checks.BAD_SIGNATURE


async def _no_algorithm(world: World) -> str:
    kid, _ = await world.signing_key(world.acme)
    return unsigned({"typ": "at+jwt", "alg": "none", "kid": kid}, world.claims(world.acme)) + "."


async def _no_algorithm_but_a_signature(world: World) -> str:
    return await _no_algorithm(world) + "AAAA"


@pytest.mark.parametrize("encoding", ["PEM", "DER"])
async def test_the_public_key_is_no_secret(
    world: World, verifier: TokenVerifier, encoding: Literal["PEM", "DER"]
) -> None:
    """The classic: HS256 with what everybody can read in the JWKS. By hand, since joserfc knows better too."""
    kid, key = await world.signing_key(world.acme)
    assert isinstance(key, ECKey)
    token = unsigned({"typ": "at+jwt", "alg": "HS256", "kid": kid}, world.claims(world.acme))
    mac = hmac.digest(key.as_bytes(encoding=encoding, private=False), token.encode(), "sha256")
    assert await refused(verifier, world.acme, f"{token}.{_encoded(mac)}") == checks.BAD_SIGNATURE


async def _own_key_with_their_kid(world: World) -> str:
    kid, _ = await world.signing_key(world.acme)
    own = ECKey.generate_key("P-256")
    return jwt.encode({"typ": "at+jwt", "alg": "ES256", "kid": kid}, world.claims(world.acme), own)


async def _other_algorithm_of_the_same_family(world: World) -> str:
    kid, _ = await world.signing_key(world.acme)
    own = RSAKey.generate_key(2048)
    return jwt.encode({"typ": "at+jwt", "alg": "RS256", "kid": kid}, world.claims(world.acme), own)


async def _changed_claims(world: World) -> str:
    header, _, signature = (await world.token(world.acme)).split(".")
    claims = unsigned({}, world.claims(world.acme, scope="everything")).split(".")[1]
    return f"{header}.{claims}.{signature}"


@pytest.mark.parametrize(
    "forge",
    [
        _no_algorithm_but_a_signature,
        _own_key_with_their_kid,
        _other_algorithm_of_the_same_family,
        _changed_claims,
    ],
)
async def test_only_the_tenants_own_key_signs(world: World, verifier: TokenVerifier, forge: Forge) -> None:
    assert await refused(verifier, world.acme, await forge(world)) == checks.BAD_SIGNATURE


async def test_a_token_without_a_signature_is_malformed(world: World, verifier: TokenVerifier) -> None:
    assert await refused(verifier, world.acme, await _no_algorithm(world)) == checks.MALFORMED


@pytest.mark.parametrize(
    "member",
    [
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/certificate"},
        {"x5c": ["MIIB"]},
        {"crit": ["exp"], "exp": 1},
        {"b64": False, "crit": ["b64"]},
        {"zip": "DEF"},
    ],
)
async def test_a_token_that_brings_instructions_is_refused(
    world: World, verifier: TokenVerifier, member: dict[str, Any]
) -> None:
    """Rightly signed even: nothing in the header but the three members that ours have is worth a look."""
    kid, key = await world.signing_key(world.acme)
    registry = JWSRegistry(strict_check_header=False)
    header = {"typ": "at+jwt", "alg": "ES256", "kid": kid} | {name: v for name, v in member.items() if name != "crit"}
    if "b64" in member or "crit" in member:
        signed = unsigned(header | member, world.claims(world.acme)) + ".AAAA"
    else:
        signed = jws.serialize_compact(header, json.dumps(world.claims(world.acme)), key, registry=registry)
    assert await refused(verifier, world.acme, signed) == checks.MALFORMED


async def test_a_key_in_the_token_is_refused(world: World, verifier: TokenVerifier) -> None:
    own = ECKey.generate_key("P-256")
    kid, _ = await world.signing_key(world.acme)
    header = {"typ": "at+jwt", "alg": "ES256", "kid": kid, "jwk": own.as_dict(private=False)}
    assert await refused(verifier, world.acme, jwt.encode(header, world.claims(world.acme), own)) == checks.MALFORMED


@pytest.mark.parametrize("kind", ["JWT", "id_token+jwt", "dpop+jwt", "logout+jwt", ""])
async def test_another_kind_of_token_is_not_an_access_token(world: World, verifier: TokenVerifier, kind: str) -> None:
    """An ID token, say: issued by the same tenant and signed with the same key."""
    kid, key = await world.signing_key(world.acme)
    token = jwt.encode({"typ": kind, "alg": "ES256", "kid": kid}, world.claims(world.acme), key)
    assert await refused(verifier, world.acme, token) == checks.NOT_FOR_ACCESS


@pytest.mark.parametrize("missing", ["alg", "kid", "typ"])
async def test_every_header_member_is_needed(world: World, verifier: TokenVerifier, missing: str) -> None:
    kid, _ = await world.signing_key(world.acme)
    header = {"typ": "at+jwt", "alg": "ES256", "kid": kid}
    del header[missing]
    reason = checks.NOT_FOR_ACCESS if missing == "typ" else checks.MALFORMED
    assert await refused(verifier, world.acme, unsigned(header, world.claims(world.acme)) + ".AAAA") == reason


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "..",
        "a.b.c",
        "a.b.c.d",
        "e30.e30.AAAA",
        "bnVsbA.e30.AAAA",
        "W10.e30.AAAA",
        "eyJhbGciOg.e30.AAAA",
        "e30=.e30.AAAA",
        "e30 .e30.AAAA",
        _encoded(b"[" * 300) + ".e30.AAAA",
        "a" * 100_000,
        "e30." + "A" * 9000 + ".AAAA",
        "\x00",
        "ü.ü.ü",
    ],
)
async def test_garbage_is_malformed(world: World, verifier: TokenVerifier, token: str) -> None:
    assert await refused(verifier, world.acme, token) in {checks.MALFORMED, checks.NOT_FOR_ACCESS}


@given(token=st.one_of(st.text(), st.from_regex(r"[A-Za-z0-9_-]{1,80}\.[A-Za-z0-9_-]{1,80}\.[A-Za-z0-9_-]{1,40}")))
@settings(max_examples=200, deadline=None)
def test_no_text_breaks_the_parser(token: str) -> None:
    with pytest.raises(InvalidToken):
        checks.parse(token)


@given(
    header=st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "jwk"]),
        st.none() | st.text() | st.lists(st.text()) | st.just("at+jwt"),
    )
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_header_breaks_the_parser(header: dict[str, Any]) -> None:
    try:
        signed = checks.parse(unsigned(header, {}) + ".AAAA")
    except InvalidToken:
        return
    assert signed.protected.keys() == {"alg", "kid", "typ"}


async def test_a_signed_payload_that_is_no_object_is_malformed(world: World, verifier: TokenVerifier) -> None:
    kid, key = await world.signing_key(world.acme)
    for payload in ("[]", "null", "x", "{", "1" * 5000, "[" * 5000):
        token = jws.serialize_compact({"typ": "at+jwt", "alg": "ES256", "kid": kid}, payload, key)
        assert await refused(verifier, world.acme, token) == checks.MALFORMED
