"""RFC 6749 section 6, with the rotation of RFC 9700 section 4.14.2: a replaced token that comes back ends its family.

Except for a while, and from the same client: it may have lost the answer, or have sent its request twice. It then gets
the answer again that the first request got.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from authlib.oauth2.rfc6749 import grants

from saas.authserver.authorization import Authorization, granted
from saas.authserver.client import Client
from saas.authserver.errors import InvalidGrant, InvalidRequest, InvalidScope
from saas.authserver.refresh import RefreshToken
from saas.authserver.resources import check_granted
from saas.authserver.store import Family
from saas.kit.crypto import digest, same

_Response = tuple[int, Mapping[str, Any], list[tuple[str, str]]]


class RefreshTokenGrant(grants.RefreshTokenGrant):  # type: ignore[misc] # Authlib has no types
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
    NEEDS_STORAGE = True

    #: What replaces the presented token.
    _next: RefreshToken
    #: The last rotation's answer, where the presented token is the one that it replaced.
    _last: dict[str, Any] | None = None

    def _validate_request_token(self, client: Client) -> Family:
        """The family of a good token. Raises InvalidGrant.

        Whoever has one of its tokens can end a family, in whatever wrong way it is presented: by then it is known to
        be in two hands, or in wrong ones.
        """
        presented = self.request.form.get("refresh_token")
        if presented is None:
            raise InvalidRequest("The parameter refresh_token is missing")
        token = RefreshToken.parse(presented)
        family: Family | None = self.server.storage.families.locked(token.handle, client) if token else None
        if token is None or family is None:
            raise InvalidGrant("The refresh token is unknown")
        if family.revoked or _end_of(family, self.server.lifetimes.refresh_idle) <= self.server.now:
            raise InvalidGrant("The refresh token has expired or was revoked")
        if family.foreign or not family.holder.active or not self._is_good(token, family):
            self.server.storage.families.end(family.authorization, self.server.now, reused=True)
            raise InvalidGrant("The refresh token is not valid: all that descend from its authorization are revoked")
        self._next = token.rotated()
        return family

    def _is_good(self, token: RefreshToken, family: Family) -> bool:
        given = digest(token.secret)
        if same(given, family.digest):
            return True
        if family.previous_digest is None or family.rotated_at is None or not same(given, family.previous_digest):
            return False
        if self.server.now >= family.rotated_at + timedelta(seconds=self.server.lifetimes.refresh_grace):
            return False
        self._last = self.server.storage.families.last_answer(family)
        return self._last is not None

    def _validate_token_scope(self, family: Family) -> None:
        """It may narrow, never grow; nor may the token be for anybody else. Raises InvalidScope and InvalidTarget."""
        resource, granted_for = self.request.form.get("resource"), family.authorization.resource
        check_granted(resource, granted_for, family.authorization.client, self.server.issuer)
        asked = self.request.payload.scope
        if asked and not set(self._asked(family)) <= set(family.authorization.scopes):
            raise InvalidScope("More than the refresh token stands for")

    def _asked(self, family: Family) -> tuple[str, ...]:
        asked = self.request.payload.scope
        return tuple(self.request.client.get_allowed_scope(asked).split(" ")) if asked else family.authorization.scopes

    def authenticate_user(self, family: Family) -> Authorization:
        """What is given at this refresh; what roles no longer give is missing. Raises InvalidScope."""
        scopes = granted(self._asked(family), self.request.client, family.holder)
        if not scopes:
            raise InvalidScope("The person may no longer give this")
        return replace(family.authorization, scopes=scopes)

    def create_token_response(self) -> _Response:
        if self._last is not None and self._last["request"] == self._request():
            return 200, self._last["response"], self.TOKEN_RESPONSE_HEADER
        response: _Response = super().create_token_response()
        return response

    def issue_token(self, authorization: Authorization, _: Family) -> dict[str, Any]:
        token: dict[str, Any] = self.generate_token(user=authorization, include_refresh_token=False)
        # A replaced token may also ask for another access token than it got: the family does not rotate for that.
        token["refresh_token"] = self._last["response"]["refresh_token"] if self._last else str(self._next)
        return token

    def save_token(self, token: Mapping[str, Any]) -> None:
        if self._last is None:
            answer = {"request": self._request(), "response": token}
            self.server.storage.families.rotate(self.request.refresh_token, self._next.secret, answer, self.server.now)

    def revoke_old_credential(self, family: Family) -> None:
        """`save_token` has replaced it."""

    def _request(self) -> list[str | None]:
        """What two requests with one token must agree in to be the same."""
        return [self.request.form.get(name) for name in ("scope", "resource")]


def _end_of(family: Family, idle: int) -> datetime:
    return min(family.expires_at, family.last_used_at + timedelta(seconds=idle))
