"""The engine at its addresses. The token endpoint is hot: in the steady state all it needs comes from memory.

So it opens no session: an idle one, which never connects, costs more than all of Authlib.
"""

import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from saas.authserver.errors import InvalidRequest, OAuth2Error
from saas.authserver.metadata import metadata
from saas.authserver.request import MAX_FORM, FormRequest, parse_form
from saas.authserver.server import ProtocolResponse, Server, error_response
from saas.authserver.tokens import Issuer
from saas.oauth.store import ResolvedClient
from tenants.registry import Tenant

#: For documents that any web page may read and any cache may keep. The header X-Tenant may pick the tenant.
_PUBLIC: Final = {
    "Cache-Control": "public, max-age=300",
    "Access-Control-Allow-Origin": "*",
    "Vary": "X-Tenant",
}


async def token(request: Request) -> Response:
    """RFC 6749 section 3.2."""
    tenant: Tenant = request.scope["tenant"]
    state = request.app.state
    try:
        form = await _form_request(request, tenant)
    except OAuth2Error as error:
        return _sent(error_response(error))
    client = await state.clients.find(tenant, form.credentials.client_id) if form.credentials else None
    kid, key = (await state.keys.ring(tenant)).signing_key()
    issuer = Issuer(tenant.issuer, str(tenant.id), kid, key, state.settings.tokens.access_ttl)
    return _sent(Server(issuer, ResolvedClient(client)).token(form))


async def authorization_server_metadata(request: Request) -> Response:
    """RFC 8414 section 3."""
    tenant: Tenant = request.scope["tenant"]
    return _document(metadata(tenant.issuer, _ENDPOINTS, request.app.state.catalogue.names))


async def jwks(request: Request) -> Response:
    """The tenant's public keys (RFC 7517 section 5)."""
    ring = await request.app.state.keys.ring(request.scope["tenant"])
    return _document(ring.jwks(), "application/jwk-set+json")


async def _form_request(request: Request, tenant: Tenant) -> FormRequest:
    """Raises OAuth2Error."""
    headers: dict[str, str] = {}
    for name, value in request.scope["headers"]:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM:
            raise InvalidRequest(f"The form is larger than {MAX_FORM} bytes")
    form = parse_form(headers.get("content-type"), body)
    return FormRequest(request.method, tenant.issuer + request.scope["path"], headers, form)


def _sent(answer: ProtocolResponse) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers))


def _document(document: dict[str, Any], media_type: str = "application/json") -> Response:
    return Response(json.dumps(document, separators=(",", ":")), 200, _PUBLIC, media_type)


#: Each named as RFC 8414 section 2 names its address, where it does.
routes: Final = [
    Route("/oauth2/token", token, methods=["POST"], name="token_endpoint"),
    Route("/oauth2/jwks", jwks, name="jwks_uri"),
    Route("/.well-known/oauth-authorization-server", authorization_server_metadata, name="metadata"),
]
_ENDPOINTS: Final = {route.name: route.path for route in routes if route.name.endswith(("_endpoint", "_uri"))}
