"""The parts of a JWT access token (RFC 9068), checked one by one. Pure: no keys are fetched here, no time is read."""

import json
import re
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import CompactSignature

from saas.access.caller import Caller
from saas.access.errors import InvalidToken
from tenants.registry import Tenant

#: A token with all the scopes of a large product has a quarter of this.
MAX_TOKEN_LENGTH: Final = 8192
#: Seconds that the clock of the process that issued a token may be ahead of ours. An expiry gets no such grace: it
#: would make every token live longer than it says.
_CLOCK_SKEW: Final = 5

#: RFC 9068 section 2.1; the prefix may be left out (RFC 7515 section 4.1.9).
_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
#: Ours hold nothing else. So `jku`, `jwk`, `x5u` and `x5c`, with which a token brings its own key, and `crit` and
#: `b64`, with which it changes what is signed, are refused before anybody looks at them.
_HEADER_MEMBERS: Final = frozenset({"alg", "kid", "typ"})
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

MALFORMED: Final = "The token is malformed"
NOT_FOR_ACCESS: Final = "The token is not an access token"
UNKNOWN_KEY: Final = "The token is signed with an unknown key"
BAD_SIGNATURE: Final = "The signature of the token is wrong"
WRONG_ISSUER: Final = "The token is from another issuer"
WRONG_AUDIENCE: Final = "The token is for another audience"
NOT_YET_VALID: Final = "The token is not valid yet"
EXPIRED: Final = "The token has expired"


def parse(token: str) -> CompactSignature:
    """Take the token apart. Nothing in it is true before `check_signature`. Raises InvalidToken."""
    if len(token) > MAX_TOKEN_LENGTH or not _COMPACT.fullmatch(token):
        raise InvalidToken(MALFORMED)
    try:
        signed = jws.extract_compact(token.encode())
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise InvalidToken(MALFORMED) from error
    header = signed.protected
    if not isinstance(header, dict) or not all(isinstance(value, str) for value in header.values()):
        raise InvalidToken(MALFORMED)
    if header.get("typ", "").lower() not in _TYPES:
        raise InvalidToken(NOT_FOR_ACCESS)
    if header.keys() != _HEADER_MEMBERS:
        raise InvalidToken(MALFORMED)
    return signed


def check_signature(signed: CompactSignature, key: Key) -> None:
    """Verify with the one algorithm that `key` is for, whatever the token asks for. Raises InvalidToken."""
    if key.alg is None or signed.protected["alg"] != key.alg:
        raise InvalidToken(BAD_SIGNATURE)
    try:
        valid = jws.validate_compact(signed, key, [key.alg])
    except (JoseError, ValueError, TypeError) as error:
        raise InvalidToken(BAD_SIGNATURE) from error
    if not valid:
        raise InvalidToken(BAD_SIGNATURE)


def read_claims(signed: CompactSignature) -> dict[str, Any]:
    """The payload, true or not. Raises InvalidToken unless it is a JSON object."""
    try:
        claims = json.loads(signed.payload)
    except (ValueError, RecursionError) as error:
        raise InvalidToken(MALFORMED) from error
    if not isinstance(claims, dict):
        raise InvalidToken(MALFORMED)
    return claims


def caller_of(claims: dict[str, Any], tenant: Tenant, now: float) -> Caller:
    """Who calls `tenant` with a token of these verified claims. Raises InvalidToken, if it is for another audience too.

    Only a token that was asked for another resource (RFC 8707) has another audience than the issuer.
    """
    caller = holder_of(claims, tenant, now)
    audience = claims.get("aud")
    if audience != tenant.issuer and not (isinstance(audience, list) and tenant.issuer in audience):
        raise InvalidToken(WRONG_AUDIENCE)
    return caller


def holder_of(claims: dict[str, Any], tenant: Tenant, now: float) -> Caller:
    """What verified claims say, if `tenant` says it and for now, to whatever audience. Raises InvalidToken."""
    if claims.get("iss") != tenant.issuer or claims.get("tenant") != str(tenant.id):
        raise InvalidToken(WRONG_ISSUER)
    expires_at = _seconds(claims, "exp")
    if expires_at <= now:
        raise InvalidToken(EXPIRED)
    issued_at = _seconds(claims, "iat")
    if max(issued_at, _seconds(claims, "nbf", default=0)) > now + _CLOCK_SKEW:
        raise InvalidToken(NOT_YET_VALID)
    return Caller(
        tenant_id=tenant.id,
        client_id=_text(claims, "client_id"),
        subject=_text(claims, "sub"),
        scopes=_scopes(claims.get("scope", "")),
        token_id=_text(claims, "jti"),
        expires_at=expires_at,
        grant_id=_text(claims, "gid") if "gid" in claims else None,
        issued_at=issued_at,
    )


def _seconds(claims: dict[str, Any], name: str, default: int | None = None) -> int:
    value = claims.get(name, default)
    if type(value) is not int:  # a bool is an int too
        raise InvalidToken(MALFORMED)
    return value


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidToken(MALFORMED)
    return value


def _scopes(value: object) -> frozenset[str]:
    if not isinstance(value, str):
        raise InvalidToken(MALFORMED)
    return frozenset(value.split())
