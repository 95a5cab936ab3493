"""RFC 6749 section 4.4. Authlib has it whole; ours adds a way to authenticate, and resources (RFC 8707)."""

from typing import Any

from authlib.oauth2.rfc6749 import grants

from saas.authserver.resources import audience_of


class ClientCredentialsGrant(grants.ClientCredentialsGrant):  # type: ignore[misc] # Authlib has no types
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt")

    def generate_token(self, **given: Any) -> dict[str, Any]:
        """Raises InvalidTarget. Where there is no user, the audience takes its place."""
        audience = audience_of(self.request.form.get("resource"), self.request.client, self.server.issuer)
        token: dict[str, Any] = super().generate_token(user=audience, **given)
        return token
