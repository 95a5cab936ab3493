"""RFC 8628 sections 3.4 and 3.5: a device asks again and again whether its person has decided."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from authlib.oauth2 import rfc8628

from saas.authserver import device
from saas.authserver.authorization import Authorization, granted
from saas.authserver.errors import (
    AccessDenied,
    AuthorizationPending,
    ExpiredToken,
    InvalidGrant,
    InvalidRequest,
    OAuth2Error,
    SlowDown,
    UnauthorizedClient,
)
from saas.authserver.refresh import RefreshToken
from saas.authserver.resources import check_granted
from saas.authserver.store import NewFamily, StoredDevice

#: A poll may come so much earlier than the last answer said: networks do not keep time.
_JITTER: Final = timedelta(milliseconds=500)


class DeviceCodeGrant(rfc8628.DeviceCodeGrant):  # type: ignore[misc] # Authlib has no types
    GRANT_TYPE = device.GRANT_TYPE
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
    NEEDS_STORAGE = True

    def validate_token_request(self) -> None:
        """Authlib's own reads the code before it knows the client; here a code is found for its client alone."""
        client = self.authenticate_token_endpoint_client()
        if not client.check_grant_type(self.GRANT_TYPE):
            raise UnauthorizedClient("This client does not use device codes")
        code = self.request.form.get("device_code")
        if code is None:
            raise InvalidRequest("The parameter device_code is missing")
        stored: StoredDevice | None = self.server.storage.devices.locked(code, client, self.server.now)
        if stored is None:
            raise InvalidGrant("The device code is unknown, or of another client")
        self.request.client, self.request.credential = client, stored
        self.request.user = allowed = self._allowed(stored)
        check_granted(self.request.form.get("resource"), allowed.resource, client, self.server.issuer)

    def _allowed(self, stored: StoredDevice) -> Authorization:
        """What the person has allowed, and may still give. Raises OAuth2Error while there is nothing, or no more."""
        if stored.status == "redeemed":
            raise InvalidGrant("The device code was used before")
        if stored.expires_at <= self.server.now:
            raise ExpiredToken
        if stored.status == "denied":
            raise AccessDenied
        if stored.allowed is None or stored.holder is None:
            raise self._not_yet(stored)
        scopes = granted(stored.allowed.scopes, stored.allowed.client, stored.holder)
        if not stored.session_active or not stored.holder.active or not scopes:
            raise InvalidGrant("The person may no longer give this")
        return replace(stored.allowed, scopes=scopes)

    def _not_yet(self, stored: StoredDevice) -> OAuth2Error:
        """A device that polls too fast must wait longer, from now on."""
        now, last = self.server.now, stored.last_polled_at
        fast = last is not None and now < last + timedelta(seconds=stored.interval) - _JITTER
        self.server.storage.devices.polled(stored, stored.interval + device.SLOW_DOWN * fast, now)
        return SlowDown() if fast else AuthorizationPending()

    def save_token(self, token: Mapping[str, Any]) -> None:
        """The code is spent and its family begun in one statement."""
        now, stored = self.server.now, self.request.credential
        family = None
        if "refresh_token" in token:
            end = now + timedelta(seconds=self.server.lifetimes.refresh_absolute)
            # As with an authorization code, the family keeps all that was allowed.
            family = NewFamily(RefreshToken(*token["refresh_token"].split(".")), stored.allowed, now, end)
        self.server.storage.devices.redeem(stored, family)
