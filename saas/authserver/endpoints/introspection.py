"""Token introspection (RFC 7662): what a token stands for at this moment, by the word of who keeps the record."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from authlib.oauth2 import rfc7662

from saas.authserver.client import Client
from saas.authserver.endpoints.presented import Presented, PresentedAccessToken, PresentedRefreshToken, find
from saas.authserver.errors import InvalidRequest
from saas.authserver.grants import AUTH_METHODS
from saas.authserver.request import FormRequest
from saas.authserver.scopes import INTROSPECT
from saas.kit.crypto import digest, same

#: Whoever asks has to prove who they are: else one could try tokens out (section 4).
_METHODS: Final = tuple(method for method in AUTH_METHODS if method != "none")
#: Of an access token's claims, those that section 2.2 names.
_SHOWN: Final = ("scope", "client_id", "sub", "aud", "iss", "exp", "iat", "jti")
_INACTIVE: Final[Mapping[str, Any]] = {"active": False}


class IntrospectionEndpoint(rfc7662.IntrospectionEndpoint):  # type: ignore[misc] # Authlib has no types
    CLIENT_AUTH_METHODS = _METHODS
    METADATA: Final[Mapping[str, Any]] = {"introspection_endpoint_auth_methods_supported": list(_METHODS)}

    def __init__(self, server: Any, claims: Mapping[str, Any] | None) -> None:
        """`claims` are those of the presented token, if it is an access token of the issuer that has not expired."""
        super().__init__(server)
        self._claims = claims

    def authenticate_token(self, request: FormRequest, client: Client) -> Presented | None:
        """None for a token that the client may not see, as for one that there is not."""
        text = request.form.get("token")
        if text is None:
            raise InvalidRequest("The parameter token is missing")
        token = find(text, self._claims, self.server.storage.families, client)
        return token if token is not None and self.check_permission(token, client, request) else None

    def check_permission(self, token: Presented, client: Client, _: FormRequest) -> bool:
        """Its own; and those that others send it, where it may. A refresh token goes to nobody but us."""
        may_see = isinstance(token, PresentedAccessToken) and INTROSPECT in client.scopes
        return may_see or token.check_client(client)

    def create_introspection_payload(self, token: Presented | None) -> Mapping[str, Any]:
        if token is None:
            return _INACTIVE
        return self._access(token) if isinstance(token, PresentedAccessToken) else self._refresh(token)

    def _access(self, token: PresentedAccessToken) -> Mapping[str, Any]:
        if self.server.storage.revocations.any_of(token.ids):
            return _INACTIVE
        shown = {name: token.claims[name] for name in _SHOWN if name in token.claims}
        return {"active": True, "token_type": "Bearer", **shown}

    def _refresh(self, token: PresentedRefreshToken) -> Mapping[str, Any]:
        family = token.family
        idle = family.last_used_at + timedelta(seconds=self.server.lifetimes.refresh_idle)
        end = min(family.expires_at, idle)
        current = same(digest(token.secret), family.digest)
        if not current or family.revoked or end <= self.server.now or not family.holder.active:
            return _INACTIVE
        authorization = family.authorization
        return {
            "active": True,
            "scope": " ".join(authorization.scopes),
            "client_id": authorization.client.client_id,
            "sub": str(authorization.user_id),
            "iss": self.server.issuer,
            "exp": int(end.timestamp()),
        }
