"""Client authentication by a signed assertion: private_key_jwt (RFC 7523 section 2.2, OpenID Connect Core section 9).

The client signs a statement about itself with a key of its own; nothing secret ever leaves it.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jws import CompactSignature
from joserfc.util import urlsafe_b64decode

from saas.authserver.client import Client
from saas.authserver.client_keys import ALGORITHMS, ClientKey
from saas.authserver.errors import InvalidClient, InvalidRequest

METHOD: Final = "private_key_jwt"
#: The only `client_assertion_type` (RFC 7523 section 8.2).
TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_MAX_LENGTH: Final = 4096
#: Seconds that an assertion may live: until then we remember that it was used. Libraries give theirs up to an hour.
_MAX_LIFETIME: Final = 3600
#: Seconds that the client's clock may be ahead of ours.
_CLOCK_SKEW: Final = 10
_MAX_JTI: Final = 255
#: What was used is remembered for longer than it is good: the clocks of servers differ too.
_REMEMBERED_LONGER: Final = timedelta(minutes=10)
#: With these an assertion changes what is signed, or what has to be understood of it.
_REFUSED_HEADERS: Final = frozenset({"crit", "b64"})

_UNREADABLE: Final = "The client assertion is malformed"


@dataclass(frozen=True, slots=True)
class Proof:
    """An assertion that is right, if it was not used before: whether it was, its `digest` tells until `expires_at`."""

    digest: bytes
    expires_at: datetime


def assertion_of(form: Mapping[str, str]) -> tuple[str, str]:
    """The client that an assertion is about, and the assertion, unverified. Raises InvalidRequest and InvalidClient."""
    assertion = form.get("client_assertion")
    if form.get("client_assertion_type") != TYPE:
        raise InvalidRequest(f"The parameter client_assertion_type must be {TYPE}")
    if assertion is None:
        raise InvalidRequest("The parameter client_assertion is missing")
    subject = _claims(_parse(assertion)).get("sub")
    if not isinstance(subject, str) or not subject:
        raise InvalidClient(_UNREADABLE)
    return subject, assertion


def verify(assertion: str, client: Client, audiences: Collection[str], now: datetime) -> Proof:
    """Raises InvalidClient, which says what is wrong in fixed words.

    `audiences` are the issuer and the addresses that clients may take for it. Each value of `aud` has to be one: an
    assertion that another server could use as well is refused.
    """
    signed = _parse(assertion)
    _check_signature(signed, client)
    claims = _claims(signed)
    if claims.get("iss") != client.client_id or claims.get("sub") != client.client_id:
        raise InvalidClient("The client assertion is of another client: iss and sub must be the client_id")
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if not named or not all(isinstance(each, str) and each in audiences for each in named):
        raise InvalidClient("The client assertion is for another audience: aud must be the issuer alone")
    expires_at = _check_times(claims, now.timestamp())
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= _MAX_JTI:
        raise InvalidClient(f"The client assertion needs a jti of 1 to {_MAX_JTI} characters")
    used = sha256(f"{client.client_id}\0{jti}".encode("utf-8", "surrogatepass")).digest()
    return Proof(used, datetime.fromtimestamp(expires_at, UTC) + _REMEMBERED_LONGER)


def _parse(assertion: str) -> CompactSignature:
    if len(assertion) > _MAX_LENGTH or not assertion.isascii():
        raise InvalidClient(_UNREADABLE)
    try:
        signed = jws.extract_compact(assertion.encode())
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise InvalidClient(_UNREADABLE) from error
    if not isinstance(signed.protected, dict) or not _REFUSED_HEADERS.isdisjoint(signed.protected):
        raise InvalidClient(_UNREADABLE)
    return signed


def _claims(signed: CompactSignature) -> dict[str, Any]:
    try:
        claims = json.loads(signed.payload)
    except (ValueError, RecursionError) as error:
        raise InvalidClient(_UNREADABLE) from error
    if not isinstance(claims, dict):
        raise InvalidClient(_UNREADABLE)
    return claims


def _check_signature(signed: CompactSignature, client: Client) -> None:
    """With the client's key that the header names, or with each that fits; never with one that the header brings."""
    algorithm, kid = signed.protected.get("alg"), signed.protected.get("kid")
    if algorithm not in ALGORITHMS:
        raise InvalidClient(f"A client assertion is signed by one of: {', '.join(ALGORITHMS)}")
    fitting = [key for key in client.keys if algorithm in key.algorithms and kid in (None, key.kid)]
    if not any(_is_by(signed, key, algorithm) for key in fitting):
        raise InvalidClient("Unknown client, or the client assertion is not signed by a registered key")


def _is_by(signed: CompactSignature, key: ClientKey, algorithm: str) -> bool:
    # Not through joserfc's registry, which takes EdDSA for outdated, though it is what clients of RFC 8037 send.
    model = jws.JWSRegistry.algorithms[algorithm]
    try:
        signature = urlsafe_b64decode(signed.segments["signature"])
        signing_input = signed.segments["header"] + b"." + signed.segments["payload"]
        return bool(model.verify(signing_input, signature, key.key))
    except (JoseError, ValueError, TypeError):
        return False


def _check_times(claims: dict[str, Any], now: float) -> float:
    """When it expires, as a Unix time."""
    times = {name: claims.get(name, 0) for name in ("exp", "iat", "nbf")}
    if any(type(value) not in {int, float} for value in times.values()):
        raise InvalidClient("The times of the client assertion are not numbers")
    if not now < times["exp"] <= now + _MAX_LIFETIME + _CLOCK_SKEW:
        raise InvalidClient(f"The client assertion has expired, or expires later than in {_MAX_LIFETIME} seconds")
    if max(times["iat"], times["nbf"]) > now + _CLOCK_SKEW:
        raise InvalidClient("The client assertion is not valid yet")
    return float(times["exp"])
