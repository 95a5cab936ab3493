"""What the protocol endpoints have in common: a request becomes a form of the engine, its answer a response."""

from functools import lru_cache
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from saas.access.guards import TOKEN_PATH
from saas.authserver import assertion
from saas.authserver.authentication import authenticate
from saas.authserver.client import Client
from saas.authserver.errors import InvalidClient, InvalidRequest
from saas.authserver.forms import MAX_FORM, parse_form
from saas.authserver.grants import AUTH_METHODS
from saas.authserver.request import FormRequest
from saas.authserver.server import ProtocolResponse
from saas.kit.clock import utc_now
from saas.oauth.grants.assertions import use
from saas.oauth.store import ResolvedClient
from tenants.registry import Tenant

#: For what is told to one client, once.
NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
#: For documents that any web page may read and any cache may keep. The header X-Tenant may pick the tenant.
PUBLIC_HEADERS: Final = {
    "Cache-Control": "public, max-age=300",
    "Access-Control-Allow-Origin": "*",
    "Vary": "X-Tenant",
}
#: The request's headers that the engine looks at.
_READ: Final = frozenset({b"authorization", b"content-type"})


async def read_request(request: Request) -> FormRequest:
    """Raises OAuth2Error."""
    tenant: Tenant = request.scope["tenant"]
    headers: dict[str, str] = {}
    for name, value in request.scope["headers"]:
        if name in _READ:
            key, text = name.decode("latin-1"), value.decode("latin-1")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
    form = parse_form(headers.get("content-type"), await read_body(request))
    return FormRequest(request.scope["method"], tenant.issuer + request.scope["path"], headers, form)


async def authenticated_request(request: Request, endpoint: str) -> tuple[FormRequest, Client]:
    """A request, and the client that sent it, which authenticates as at the token endpoint. Raises OAuth2Error."""
    form, found = await read_client_request(request)
    return form, authenticate(ResolvedClient(found), form.credentials, AUTH_METHODS, endpoint)


async def read_client_request(request: Request) -> tuple[FormRequest, Client | None]:
    """A request, and the client that it names, which is still to be authenticated. Raises OAuth2Error.

    All of it that has to wait is done: the client is found, and if it proves by an assertion who it is, the assertion
    is verified and counted as used.
    """
    form = await read_request(request)
    credentials = form.credentials
    if credentials is None:
        return form, None
    state, tenant = request.app.state, request.scope["tenant"]
    client: Client | None = await state.clients.find(tenant, credentials.client_id)
    if client is not None and credentials.method == assertion.METHOD:
        audiences = {tenant.issuer, tenant.issuer + TOKEN_PATH, tenant.issuer + request.scope["path"]}
        proof = assertion.verify(credentials.secret, client, audiences, utc_now())
        if not await use(state.database, tenant, proof):
            raise InvalidClient("The client assertion was used before")
        form.credentials = credentials.found_right()
    return form, client


async def read_body(request: Request) -> bytes:
    """Raises InvalidRequest where it is longer than a form may be, ClientDisconnect where it ends too early."""
    body, more = b"", True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > MAX_FORM:
            raise InvalidRequest(f"The form is larger than {MAX_FORM} bytes")
        more = message.get("more_body", False)
    return body


def sent(answer: ProtocolResponse) -> Response:
    response = Response(answer.body, answer.status)
    response.raw_headers += _encoded(answer.headers)
    return response


@lru_cache(maxsize=64)
def _encoded(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[bytes, bytes], ...]:
    """As an ASGI server takes them. Nearly all answers have the same."""
    return tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers)
