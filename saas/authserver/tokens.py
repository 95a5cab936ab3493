"""Token responses, and the access tokens in them: JWT after RFC 9068, signed through joserfc."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from authlib.oauth2.rfc6750 import BearerTokenGenerator
from joserfc.jwk import Key

from saas.authserver.authorization import Authorization
from saas.authserver.client import Client
from saas.authserver.errors import InvalidScope
from saas.authserver.refresh import RefreshToken
from saas.authserver.scopes import IDENTITY_SCOPES
from saas.authserver.signing import sign

SIGNING_ALGORITHM: Final = "ES256"
_JTI_BYTES: Final = 16

#: Adds to the response that an authorization yields, before it is stored and sent: an ID token, say.
Extension = Callable[[Authorization, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues: a tenant's address, its id, its active ES256 key, and how many seconds its tokens live."""

    url: str
    tenant_id: str
    kid: str
    key: Key
    access_ttl: int


class TokenResponses(BearerTokenGenerator):  # type: ignore[misc] # Authlib has no types
    """RFC 6749 section 5.1. Authlib's `user` is an Authorization here.

    Where the client acts for itself it is the audience that it asked for; None: the issuer.
    """

    def __init__(self, issuer: Issuer, extensions: Sequence[Extension], now: int) -> None:
        super().__init__(self._client_token, expires_generator=issuer.access_ttl)
        self._issuer = issuer
        self._extensions = extensions
        self._now = now

    def generate(  # noqa: PLR0917 - as Authlib calls it
        self,
        grant_type: str,
        client: Client,
        user: Authorization | str | None = None,
        scope: str | None = None,
        expires_in: int | None = None,
        include_refresh_token: bool = True,
    ) -> dict[str, Any]:
        """With a new refresh token, unless `include_refresh_token` is false or the authorization has none to give.

        Authlib's own asks the client what to grant, and gets its default where a person's roles leave nothing.
        """
        if not isinstance(user, Authorization):
            response: dict[str, Any] = super().generate(grant_type, client, user, scope, expires_in, False)
            return response
        response = {
            "access_token": self._user_token(user),
            "token_type": "Bearer",
            "expires_in": self._issuer.access_ttl,
            "scope": " ".join(user.scopes),
        }
        if include_refresh_token and user.offline:
            response["refresh_token"] = str(RefreshToken.new())
        for extend in self._extensions:
            extend(user, response)
        return response

    @staticmethod
    def get_allowed_scope(client: Client, scope: str | None) -> str:
        """What a client gets for itself: nothing that is about a person. Raises InvalidScope."""
        names = str(client.get_allowed_scope(scope)).split(" ")
        own = [name for name in names if name not in IDENTITY_SCOPES]
        if not own or (scope and len(own) < len(names)):
            raise InvalidScope(f"No client has these for itself: {' '.join(IDENTITY_SCOPES)}")
        return " ".join(own)

    def _client_token(self, client: Client, grant_type: str, user: str | None, scope: str) -> str:  # noqa: ARG002 - as Authlib calls it
        return self._signed({"aud": user or self._issuer.url, "sub": client.client_id, "scope": scope}, client)

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
            "jti": secrets.token_urlsafe(_JTI_BYTES),
            "tenant": issuer.tenant_id,
        }
        return sign("at+jwt", claims, SIGNING_ALGORITHM, issuer.kid, issuer.key)
