"""Errors of RFC 6749 section 5.2 where Authlib's own say too much, too little, or repeat what the caller sent.

A description is ASCII without quotes and backslashes: Authlib raises ValueError for others.
"""

from collections.abc import Iterable

from authlib.oauth2 import rfc8628
from authlib.oauth2.rfc6749 import errors
from authlib.oidc.core import errors as oidc

OAuth2Error = errors.OAuth2Error
InvalidRequest = errors.InvalidRequestError
InvalidGrant = errors.InvalidGrantError
InvalidScope = errors.InvalidScopeError
UnauthorizedClient = errors.UnauthorizedClientError
AccessDenied = errors.AccessDeniedError
# RFC 8628 section 3.5.
AuthorizationPending = rfc8628.AuthorizationPendingError
SlowDown = rfc8628.SlowDownError
ExpiredToken = rfc8628.ExpiredTokenError
# OpenID Connect Core section 3.1.2.6.
LoginRequired = oidc.LoginRequiredError
ConsentRequired = oidc.ConsentRequiredError
RequestNotSupported = oidc.RequestNotSupportedError
RequestUriNotSupported = oidc.RequestURINotSupportedError
RegistrationNotSupported = oidc.RegistrationNotSupportedError


class InvalidClient(errors.InvalidClientError):  # type: ignore[misc] # Authlib has no types
    """Always 401, with the scheme that the endpoint accepts (RFC 9110 section 11.6.1 wants one beside any 401)."""

    status_code = 401

    def get_headers(self) -> list[tuple[str, str]]:
        headers = errors.OAuth2Error.get_headers(self)
        return [*headers, ("WWW-Authenticate", 'Basic realm="OAuth client", charset="UTF-8"')]


class InvalidTarget(errors.OAuth2Error):  # type: ignore[misc] # Authlib has no types
    """RFC 8707 section 2."""

    error = "invalid_target"


class UnsupportedResponseType(errors.UnsupportedResponseTypeError):  # type: ignore[misc] # Authlib has no types
    """Says what is supported; Authlib's repeats what was asked for, which may hold anything."""

    def get_body(self) -> list[tuple[str, str]]:
        return [("error", self.error), ("error_description", "The parameter response_type must be code")]


class UnsupportedGrantType(errors.UnsupportedGrantTypeError):  # type: ignore[misc] # Authlib has no types
    """Names the grants that there are; never the one that was asked for, which may hold anything."""

    def __init__(self, grant_type: str, supported: Iterable[str]) -> None:
        super().__init__(grant_type)
        self.description = f"Supported: {', '.join(supported)}"

    def get_error_description(self) -> str:
        return str(self.description)
