"""RFC 6749 section 4.1.3 with RFC 7636 and what RFC 9700 asks for: the token endpoint's half of the code flow."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from authlib.oauth2.rfc6749 import grants

from saas.authserver import pkce
from saas.authserver.authorization import Authorization, granted
from saas.authserver.authorization_request import PROMPTS, RESPONSE_MODE, RESPONSE_TYPE
from saas.authserver.client import Client
from saas.authserver.errors import InvalidGrant
from saas.authserver.refresh import RefreshToken
from saas.authserver.resources import check_granted
from saas.authserver.store import NewFamily, StoredCode


class AuthorizationCodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc] # Authlib has no types
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
    NEEDS_STORAGE = True
    METADATA: Final[Mapping[str, Any]] = {
        "response_types_supported": [RESPONSE_TYPE],
        "response_modes_supported": [RESPONSE_MODE],
        "prompt_values_supported": list(PROMPTS),
        "code_challenge_methods_supported": [pkce.METHOD],
        "authorization_response_iss_parameter_supported": True,
    }

    def query_authorization_code(self, code: str, client: Client) -> StoredCode:
        """Raises InvalidGrant. A second use ends what the first one yielded (RFC 6749 section 4.1.2).

        Whoever has the code can tell that it was used twice; the verifier is not asked for first, since the one who
        was first may be the thief.
        """
        now = self.server.now
        stored: StoredCode | None = self.server.storage.codes.locked(code, client, now)
        if stored is None:
            raise InvalidGrant("The code is unknown, or of another client")
        if stored.redeemed:
            self.server.storage.families.end(stored.authorization, now, reused=True)
            raise InvalidGrant("The code was used before: what it yielded is revoked")
        if stored.expires_at <= now or not stored.session_active:
            raise InvalidGrant("The code has expired")
        return stored

    def validate_token_request(self) -> None:
        super().validate_token_request()
        code: StoredCode = self.request.authorization_code
        form = self.request.form
        pkce.check_verifier(form.get("code_verifier"), code.challenge)
        check_granted(form.get("resource"), code.authorization.resource, self.request.client, self.server.issuer)

    def authenticate_user(self, code: StoredCode) -> Authorization:
        """What the person may still give. Raises InvalidGrant."""
        scopes = granted(code.authorization.scopes, self.request.client, code.holder)
        if not code.holder.active or not scopes:
            raise InvalidGrant("The person may no longer give this")
        return replace(code.authorization, scopes=scopes)

    def save_token(self, token: Mapping[str, Any]) -> None:
        """The code is spent and its family begun in one statement."""
        now = self.server.now
        family = None
        if "refresh_token" in token:
            refresh_token = RefreshToken(*token["refresh_token"].split("."))
            end = now + timedelta(seconds=self.server.lifetimes.refresh_absolute)
            # The family keeps all that was consented to: a role that comes back gives its scopes back.
            family = NewFamily(refresh_token, self.request.authorization_code.authorization, now, end)
        self.server.storage.codes.redeem(self.request.authorization_code, family, now)

    def delete_authorization_code(self, code: StoredCode) -> None:
        """It stays until it expires, marked as used."""
