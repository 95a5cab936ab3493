"""Proof Key for Code Exchange (RFC 7636), as RFC 9700 section 2.1.1 wants it: for every client, and by S256 alone."""

import re
from typing import Final

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from saas.authserver.errors import InvalidGrant, InvalidRequest
from saas.kit.crypto import same

METHOD: Final = "S256"
#: Section 4.2: the SHA-256 in base64url, without padding.
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
#: Section 4.1.
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def check_challenge(challenge: str | None, method: str | None) -> str:
    """The challenge of an authorization request. Raises InvalidRequest.

    Where no method is named it is "plain" (section 4.3), which shows the verifier to whoever sees the request.
    """
    if not challenge:
        raise InvalidRequest("The parameter code_challenge is missing")
    if method != METHOD:
        raise InvalidRequest("The parameter code_challenge_method must be S256")
    if not _CHALLENGE.fullmatch(challenge):
        raise InvalidRequest("The parameter code_challenge is not a SHA-256 in base64url")
    return challenge


def check_verifier(verifier: str | None, challenge: str) -> None:
    """Raises InvalidRequest and InvalidGrant."""
    if not verifier:
        raise InvalidRequest("The parameter code_verifier is missing")
    if not _VERIFIER.fullmatch(verifier) or not _is_of(verifier, challenge):
        raise InvalidGrant("The code_verifier is not the one of the authorization request")


def _is_of(verifier: str, challenge: str) -> bool:
    return same(create_s256_code_challenge(verifier).encode(), challenge.encode())
