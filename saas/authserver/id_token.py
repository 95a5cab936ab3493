"""ID tokens (OpenID Connect Core section 2): made for token responses, and read when one comes back as a hint."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key

from saas.authserver.authorization import Authorization
from saas.authserver.claims import CLAIMS_OF, claims_of
from saas.authserver.scopes import OPENID
from saas.kit.signing import ALGORITHMS, Signer, base64url

METADATA: Final[dict[str, Any]] = {
    "subject_types_supported": ["public"],
    "id_token_signing_alg_values_supported": list(ALGORITHMS),
    "claims_supported": [
        *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "amr", "sid", "at_hash"),
        *(name for names in CLAIMS_OF.values() for name in names),
    ],
    "claims_parameter_supported": False,
    "request_parameter_supported": False,
    "request_uri_parameter_supported": False,  # the default is true (Discovery section 3)
}
_MAX_HINT: Final = 8192

#: Gives what signs by an algorithm.
SignerFor = Callable[[str], Signer]


@dataclass(frozen=True, slots=True)
class IdTokens:
    """Of one issuer at the Unix time `now`; `ttl` is in seconds."""

    issuer: str
    signer_for: SignerFor
    ttl: int
    now: int

    def extend(self, authorization: Authorization, response: dict[str, Any]) -> None:
        """Add an ID token to a token response, where `openid` is granted. Fits `tokens.Extension`."""
        if OPENID in authorization.scopes:
            response["id_token"] = self.issue(authorization, response["access_token"])

    def issue(self, authorization: Authorization, access_token: str) -> str:
        """At a refresh it has no `nonce`, and the `auth_time` of the first one (section 12.2).

        It needs no `azp`, for its one audience is the client that asked for it (section 2).
        """
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": str(authorization.user_id),
            "aud": authorization.client.client_id,
            "iat": self.now,
            "exp": self.now + self.ttl,
            "auth_time": int(authorization.authenticated_at.timestamp()),
            "amr": list(authorization.amr),
            "at_hash": at_hash(access_token),
        }
        if authorization.nonce is not None:
            claims["nonce"] = authorization.nonce
        if authorization.session_id is not None:
            claims["sid"] = str(authorization.session_id)
        if authorization.person is not None:
            claims |= claims_of(authorization.person, authorization.scopes)
        return self.signer_for(authorization.client.id_token_signed_response_alg).sign("JWT", claims)


@dataclass(frozen=True, slots=True)
class Hint:
    """What an `id_token_hint` says: whom the client believes to be signed in, and in which session."""

    client_id: str
    subject: str
    session_id: str | None


def read_hint(token: str, issuer: str, verification_key: Callable[[str], Key | None]) -> Hint | None:
    """None unless it is an ID token that this issuer has signed; it may have expired (RP-Initiated Logout section 4).

    `verification_key` gives the public key of a kid. An access token is no hint, though it is signed with the same key.
    """
    claims = _verified(token, verification_key) if len(token) <= _MAX_HINT else None
    if claims is None or claims.get("iss") != issuer:
        return None
    client_id, subject, session_id = claims.get("aud"), claims.get("sub"), claims.get("sid")
    if not isinstance(client_id, str) or not isinstance(subject, str):
        return None
    return Hint(client_id, subject, session_id if isinstance(session_id, str) else None)


def at_hash(access_token: str) -> str:
    """Section 3.1.3.6: the left half of the SHA-256, in base64url."""
    half = hashlib.sha256(access_token.encode()).digest()[:16]
    return base64url(half).decode()


def _verified(token: str, verification_key: Callable[[str], Key | None]) -> dict[str, Any] | None:
    try:
        signed = jws.extract_compact(token.encode())
        header = signed.protected
        kid = header.get("kid")
        key = verification_key(kid) if isinstance(kid, str) and header.get("typ") == "JWT" else None
        # The algorithm is the key's, whatever the token asks for.
        if key is None or key.alg not in ALGORITHMS or header.get("alg") != key.alg:
            return None
        if not jws.validate_compact(signed, key, [key.alg]):
            return None
        claims = json.loads(signed.payload)
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None
