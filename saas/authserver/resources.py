"""Resource indicators (RFC 8707): for whom an access token is. Its audience is what was asked for.

The issuer's own API is one resource, however a client names it, and what a token is for where nothing is asked for.
Others are those that the client has registered: APIs of other hosts that believe this issuer.
"""

from typing import Final
from urllib.parse import urlsplit

from saas.authserver.client import Client
from saas.authserver.errors import InvalidTarget

_MAX_LENGTH: Final = 2000
#: Below the issuer.
_API: Final = "/api"


def problem_with(uri: str) -> str | None:
    """Why a client may not register `uri`, in words; None where it may (section 2: absolute, without a fragment)."""
    if len(uri) > _MAX_LENGTH or not uri.isascii() or not uri.isprintable() or " " in uri:
        return f"it is longer than {_MAX_LENGTH} characters, or holds characters that no URI has"
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "its host is malformed"
    if not parts.scheme or not (parts.netloc or parts.path) or "#" in uri:
        return "it is not an absolute URI without a fragment"
    return None


def audience_of(resource: str | None, client: Client, issuer: str) -> str | None:
    """The audience for a requested `resource`; None stands for the issuer. Raises InvalidTarget."""
    if resource is None or _is_own(resource, issuer):
        return None
    if resource not in client.resources:
        raise InvalidTarget("Unknown resource, or not registered for this client")
    return resource


def check_granted(resource: str | None, granted: str | None, client: Client, issuer: str) -> None:
    """What a token request names must be what was authorized, which the client must still be allowed.

    Raises InvalidTarget.
    """
    audience_of(granted, client, issuer)
    if resource is not None and audience_of(resource, client, issuer) != granted:
        raise InvalidTarget("The authorization is for another resource")


def _is_own(resource: str, issuer: str) -> bool:
    own = resource in {issuer, issuer + "/", issuer + _API} or resource.startswith(f"{issuer}{_API}/")
    return own and "#" not in resource
