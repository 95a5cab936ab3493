"""Errors of RFC 6749 section 5.2 where Authlib's own say too much, too little, or repeat what the caller sent.

A description is ASCII without quotes and backslashes: Authlib raises ValueError for others.
"""

from collections.abc import Iterable

from authlib.oauth2.rfc6749 import errors

OAuth2Error = errors.OAuth2Error
InvalidRequest = errors.InvalidRequestError
InvalidGrant = errors.InvalidGrantError
InvalidScope = errors.InvalidScopeError


class InvalidClient(errors.InvalidClientError):  # type: ignore[misc] # Authlib has no types
    """Always 401, with the scheme that the endpoint accepts (RFC 9110 section 11.6.1 wants one beside any 401)."""

    status_code = 401

    def get_headers(self) -> list[tuple[str, str]]:
        headers = errors.OAuth2Error.get_headers(self)
        return [*headers, ("WWW-Authenticate", 'Basic realm="OAuth client", charset="UTF-8"')]


class UnsupportedGrantType(errors.UnsupportedGrantTypeError):  # type: ignore[misc] # Authlib has no types
    """Names the grants that there are; never the one that was asked for, which may hold anything."""

    def __init__(self, grant_type: str, supported: Iterable[str]) -> None:
        super().__init__(grant_type)
        self.description = f"Supported: {', '.join(supported)}"

    def get_error_description(self) -> str:
        return str(self.description)
