"""Access tokens: JWT after RFC 9068, signed through joserfc."""

import secrets
import time
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6750 import BearerTokenGenerator
from joserfc import jwt
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry

from saas.authserver.client import Client

SIGNING_ALGORITHM = "ES256"
_JTI_BYTES = 16
_REGISTRY = JWSRegistry(algorithms=[SIGNING_ALGORITHM])


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues: a tenant's address, its id, its active ES256 key, and how many seconds its tokens live."""

    url: str
    tenant_id: str
    kid: str
    key: Key
    access_ttl: int


class AccessTokens(BearerTokenGenerator):  # type: ignore[misc] # Authlib has no types
    """Authlib's token response with our access token: its own generator sets no kid, and reads a key for each token."""

    def __init__(self, issuer: Issuer) -> None:
        super().__init__(self._access_token, expires_generator=issuer.access_ttl)
        self._issuer = issuer

    def _access_token(self, client: Client, grant_type: str, user: Any, scope: str) -> str:  # noqa: ARG002 - as Authlib calls it
        issuer = self._issuer
        now = int(time.time())
        claims = {
            "iss": issuer.url,
            "aud": issuer.url,
            "sub": client.client_id,
            "client_id": client.client_id,
            "iat": now,
            "exp": now + issuer.access_ttl,
            "jti": secrets.token_urlsafe(_JTI_BYTES),
            "scope": scope,
            "tenant": issuer.tenant_id,
        }
        header = {"typ": "at+jwt", "alg": SIGNING_ALGORITHM, "kid": issuer.kid}
        return jwt.encode(header, claims, issuer.key, registry=_REGISTRY)
