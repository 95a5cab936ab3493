"""Client authentication: RFC 6749 section 2.3; public clients name themselves and no more."""

import time
from binascii import a2b_base64
from collections.abc import Collection, Mapping
from typing import NamedTuple

from saas.authserver import assertion
from saas.authserver.client import NOBODY, Client
from saas.authserver.errors import InvalidClient, InvalidRequest
from saas.authserver.forms import form_decoded
from saas.authserver.store import ClientStore


class Credentials(NamedTuple):
    """What a caller claims, and by which method (RFC 7591 name)."""

    method: str
    client_id: str
    #: Or the signed assertion.
    secret: str
    #: An assertion, which cannot be checked without waiting, was found to be right, and to be used for the first time.
    proven: bool = False

    def __repr__(self) -> str:
        """Without the secret, so that no log has it."""
        return f"Credentials(method={self.method!r}, client_id={self.client_id!r}, proven={self.proven})"

    def found_right(self) -> "Credentials":
        return self._replace(proven=True)


def credentials_of(headers: Mapping[str, str], form: Mapping[str, str]) -> Credentials | None:
    """The credentials of a request; None where it names no client.

    Raises InvalidRequest where it has more than one set, InvalidClient where a header cannot be read.
    """
    authorization = headers.get("authorization")
    client_id, secret = form.get("client_id"), form.get("client_secret")
    if "client_assertion" in form or "client_assertion_type" in form:
        if authorization is not None or secret:
            raise InvalidRequest("Client credentials belong in one place, and there are several")
        subject, signed = assertion.assertion_of(form)
        if client_id and client_id != subject:
            raise InvalidRequest("The client_id of the form is not that of the client assertion")
        return Credentials(assertion.METHOD, subject, signed)
    if authorization is None:
        if not client_id:
            return None
        return Credentials("client_secret_post" if secret else "none", client_id, secret or "")
    if secret:
        raise InvalidRequest("Client credentials belong in the Authorization header or in the form, not in both")
    credentials = _basic(authorization)
    if client_id and client_id != credentials.client_id:
        raise InvalidRequest("The client_id of the form is not that of the Authorization header")
    return credentials


def authenticate(
    clients: ClientStore, credentials: Credentials | None, methods: Collection[str], endpoint: str
) -> Client:
    """The client whose credentials these are.

    Raises InvalidClient, in the same words and after the same work for a client that is unknown and for a wrong secret.
    """
    if credentials is None:
        raise InvalidClient("Client authentication is missing, or the client is unknown")
    client = clients.client(credentials.client_id)
    if credentials.method == "none":
        if "none" in methods and client is not None and client.public:
            return client
        raise InvalidClient("Client authentication is missing, or the client is unknown")
    if credentials.method == assertion.METHOD:
        right = credentials.proven
    else:
        right = (client or NOBODY).has_secret(credentials.secret, time.time())
    if client is None or not right:
        raise InvalidClient("Unknown client, or wrong secret")
    if credentials.method not in methods or not client.check_endpoint_auth_method(credentials.method, endpoint):
        raise InvalidClient(f"This client does not authenticate by {credentials.method}")
    return client


def _basic(authorization: str) -> Credentials:
    """Both parts are form-urlencoded inside the base64, as the RFC has it: a colon in an identifier is `%3A`."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient("The Authorization header must use the scheme Basic")
    try:
        client_id, colon, secret = a2b_base64(encoded.strip(), strict_mode=True).decode().partition(":")
        if not colon:
            raise InvalidClient("The Authorization header is malformed")
        return Credentials("client_secret_basic", form_decoded(client_id), form_decoded(secret))
    except ValueError as error:  # of base64 that is none, of text that is not UTF-8
        raise InvalidClient("The Authorization header is malformed") from error
