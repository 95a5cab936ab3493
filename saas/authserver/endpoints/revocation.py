"""Token revocation (RFC 7009): a client gives back what it no longer needs."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from authlib.oauth2 import rfc7009

from saas.authserver.client import Client
from saas.authserver.endpoints.presented import Presented, PresentedAccessToken, find
from saas.authserver.errors import InvalidGrant, InvalidRequest
from saas.authserver.grants import AUTH_METHODS
from saas.authserver.request import FormRequest


class RevocationEndpoint(rfc7009.RevocationEndpoint):  # type: ignore[misc] # Authlib has no types
    CLIENT_AUTH_METHODS = AUTH_METHODS
    METADATA: Final[Mapping[str, Any]] = {"revocation_endpoint_auth_methods_supported": list(AUTH_METHODS)}

    def __init__(self, server: Any, claims: Mapping[str, Any] | None) -> None:
        """`claims` are those of the presented token, if it is an access token of the issuer that has not expired."""
        super().__init__(server)
        self._claims = claims

    def authenticate_token(self, request: FormRequest, client: Client) -> Presented | None:
        """None where there is nothing to revoke, which is no error (section 2.2). Raises InvalidGrant."""
        text = request.form.get("token")
        if text is None:
            raise InvalidRequest("The parameter token is missing")
        token = find(text, self._claims, self.server.storage.families, client)
        if token is not None and not token.check_client(client):
            raise InvalidGrant("The token was issued to another client")
        return token

    def revoke_token(self, token: Presented, _: FormRequest) -> None:
        """An access token alone; with a refresh token, its family and all access tokens of the same authorization.

        A refresh token that was replaced long ago does as well: its client wants to be rid of what it stands for.
        """
        storage = self.server.storage
        if isinstance(token, PresentedAccessToken):
            claims = token.claims
            storage.revocations.add(claims["jti"], datetime.fromtimestamp(claims["exp"], UTC), claims["client_id"])
        elif not token.family.revoked:
            storage.families.end(token.family.authorization, self.server.now)
