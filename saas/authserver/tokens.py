"""Token responses, and the access tokens in them: JWT after RFC 9068, signed through joserfc."""

import os
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from saas.authserver.authorization import Authorization
from saas.authserver.client import Client
from saas.authserver.errors import InvalidScope
from saas.authserver.refresh import RefreshToken
from saas.authserver.scopes import IDENTITY_SCOPES
from saas.kit.signing import Signer, base64url

_JTI_BYTES: Final = 16

#: Adds to the response that an authorization yields, before it is stored and sent: an ID token, say.
Extension = Callable[[Authorization, dict[str, Any]], None]


class Issuer(NamedTuple):
    """Who issues: a tenant's address, its id, its active ES256 key, and how many seconds its access tokens live."""

    url: str
    tenant_id: str
    signer: Signer
    access_ttl: int


class TokenResponses:
    """RFC 6749 section 5.1, for one request."""

    def __init__(self, issuer: Issuer, extensions: Sequence[Extension], now: int) -> None:
        self._issuer = issuer
        self._extensions = extensions
        self._now = now

    def of_client(self, client: Client, scope: str | None, audience: str | None) -> dict[str, Any]:
        """For what the client is itself. Raises InvalidScope.

        `scope` is what it asked for, if anything; `audience` too: the issuer, if nothing.
        """
        granted = _own_scope(client, scope)
        token = self._signed({"aud": audience or self._issuer.url, "sub": client.client_id, "scope": granted}, client)
        return self._response(token, granted)

    def of_user(self, authorization: Authorization, *, include_refresh_token: bool) -> dict[str, Any]:
        """With a new refresh token, where it shall be included and the authorization has one to give."""
        response = self._response(self._user_token(authorization), " ".join(authorization.scopes))
        if include_refresh_token and authorization.offline:
            response["refresh_token"] = str(RefreshToken.new())
        for extend in self._extensions:
            extend(authorization, response)
        return response

    def _response(self, access_token: str, scope: str) -> dict[str, Any]:
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": self._issuer.access_ttl,
            "scope": scope,
        }

    def _user_token(self, authorization: Authorization) -> str:
        claims: dict[str, Any] = {
            "aud": authorization.resource or self._issuer.url,
            "sub": str(authorization.user_id),
            "scope": " ".join(authorization.scopes),
            "gid": str(authorization.grant_id),
            "auth_time": int(authorization.authenticated_at.timestamp()),
            "amr": list(authorization.amr),
        }
        if authorization.session_id is not None:
            claims["sid"] = str(authorization.session_id)
        return self._signed(claims, authorization.client)

    def _signed(self, claims: dict[str, Any], client: Client) -> str:
        issuer = self._issuer
        claims |= {
            "iss": issuer.url,
            "client_id": client.client_id,
            "iat": self._now,
            "exp": self._now + issuer.access_ttl,
            "jti": base64url(os.urandom(_JTI_BYTES)).decode(),
            "tenant": issuer.tenant_id,
        }
        return issuer.signer.sign("at+jwt", claims)


def _own_scope(client: Client, scope: str | None) -> str:
    """What a client gets for itself: nothing that is about a person. Raises InvalidScope."""
    names = client.get_allowed_scope(scope).split(" ")
    own = [name for name in names if name not in IDENTITY_SCOPES]
    if not own or (scope and len(own) < len(names)):
        raise InvalidScope(f"No client has these for itself: {' '.join(IDENTITY_SCOPES)}")
    return " ".join(own)
