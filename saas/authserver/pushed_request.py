"""Pushed authorization requests (RFC 9126): a client sends its request first, and people carry a reference. Pure."""

import re
from collections.abc import Mapping
from typing import Final

from saas.authserver import redirect_uris
from saas.authserver.authorization_request import AuthorizationRequest
from saas.authserver.client import Client
from saas.authserver.destination import Parameters, Undeliverable
from saas.authserver.errors import InvalidRequest
from saas.kit.ids import new_secret

#: Seconds in which the reference must come to the authorization endpoint; and, once it has, in which the person signs
#: in and decides. Both count from the push.
LIFETIME: Final = 90
OPEN: Final = 3600
_PREFIX: Final = "urn:ietf:params:oauth:request_uri:"
_REQUEST_URI: Final = re.compile(re.escape(_PREFIX) + r"[A-Za-z0-9_-]{43}")
#: They say who the client is, and belong to no authorization request (section 2.1).
_CREDENTIALS: Final = frozenset({"client_secret", "client_assertion", "client_assertion_type"})


def new_request_uri() -> str:
    return _PREFIX + new_secret()


def parameters_of(form: Mapping[str, str], client: Client, issuer: str) -> dict[str, str]:
    """What a client pushes, if the authorization endpoint would take it. Raises OAuth2Error."""
    if "request_uri" in form:
        raise InvalidRequest("A pushed request cannot refer to another")
    redirect_uri = form.get("redirect_uri")
    if not redirect_uri or not redirect_uris.matches(redirect_uri, client.redirect_uris, native=client.public):
        raise InvalidRequest("The parameter redirect_uri is missing, or not registered for this client")
    values = {name: value for name, value in form.items() if name not in _CREDENTIALS}
    AuthorizationRequest.of(Parameters(values), client, issuer)
    return values | {"client_id": client.client_id}


def reference_in(parameters: Parameters) -> str | None:
    """The reference of ours that a request consists of; None where it is a request by itself. Raises Undeliverable."""
    request_uri = parameters.get("request_uri")
    if request_uri is None or not request_uri.startswith(_PREFIX):
        return None
    if not parameters.repeated.isdisjoint({"client_id", "request_uri"}) or not _REQUEST_URI.fullmatch(request_uri):
        raise unknown()
    return request_uri


def unknown() -> Undeliverable:
    return Undeliverable("The application's request has expired, or was answered already.")
