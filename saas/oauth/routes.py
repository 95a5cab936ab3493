"""The engine at its addresses. The token endpoint is hot: where a client acts for itself all comes from memory.

So it then opens no session: an idle one, which never connects, costs more than all of Authlib.
"""

import json
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from saas.authserver import id_token, logout_token
from saas.authserver.errors import OAuth2Error
from saas.authserver.grants import needs_storage
from saas.authserver.id_token import IdTokens
from saas.authserver.metadata import metadata
from saas.authserver.server import Server, error_response
from saas.authserver.tokens import Issuer
from saas.keys.ring import KeyRing
from saas.kit.clock import utc_now
from saas.kit.signing import ALGORITHMS
from saas.oauth import authorize, device_authorization, logout, pushed_authorization, token_care, userinfo
from saas.oauth.exchange import PUBLIC_HEADERS, read_client_request, sent
from saas.oauth.store import ResolvedClient
from tenants.registry import Tenant


async def token(request: Request) -> Response:
    """RFC 6749 section 3.2."""
    tenant: Tenant = request.scope["tenant"]
    state = request.app.state
    try:
        form, client = await read_client_request(request)
    except OAuth2Error as error:
        return sent(error_response(error))
    algorithm = client.id_token_signed_response_alg if client else ALGORITHMS[0]
    ring: KeyRing = await state.keys.ring_with(tenant, algorithm)
    lifetimes = state.settings.tokens
    ttl = tenant.plan.token_seconds(lifetimes.access_ttl)
    issuer = Issuer(tenant.issuer, str(tenant.id), ring.signer(), ttl)
    if not needs_storage(form.payload.grant_type):
        return sent(Server(issuer, ResolvedClient(client)).token(form))
    now = utc_now()
    id_tokens = IdTokens(tenant.issuer, ring.signer, lifetimes.id_ttl, int(now.timestamp()))
    server = partial(
        Server, issuer, ResolvedClient(client), lifetimes=lifetimes, extensions=[id_tokens.extend], now=now
    )
    return sent(await state.grants.run(tenant, lambda storage: server(storage).token(form)))


async def authorization_server_metadata(request: Request) -> Response:
    """RFC 8414 section 3, and OpenID Connect Discovery section 4: one document at two addresses."""
    tenant: Tenant = request.scope["tenant"]
    names = request.app.state.catalogue.names
    return _document(metadata(tenant.issuer, _ENDPOINTS, names, id_token.METADATA, logout_token.METADATA))


async def jwks(request: Request) -> Response:
    """The tenant's public keys (RFC 7517 section 5)."""
    ring = await request.app.state.keys.ring(request.scope["tenant"])
    return _document(ring.jwks(), "application/jwk-set+json")


def _document(document: dict[str, Any], media_type: str = "application/json") -> Response:
    return Response(json.dumps(document, separators=(",", ":")), 200, PUBLIC_HEADERS, media_type)


#: Each named as RFC 8414 section 2 names its address, where it does: the metadata document lists what is here.
routes: Final = [
    *authorize.routes,
    *device_authorization.routes,
    *pushed_authorization.routes,
    *userinfo.routes,
    *logout.routes,
    *token_care.routes,
    Route("/oauth2/token", token, methods=["POST"], name="token_endpoint"),
    Route("/oauth2/jwks", jwks, name="jwks_uri"),
    Route("/.well-known/oauth-authorization-server", authorization_server_metadata, name="metadata"),
    Route("/.well-known/openid-configuration", authorization_server_metadata, name="discovery"),
]
#: What an app in a browser calls by script.
SCRIPTED: Final = frozenset(
    route.path
    for route in routes
    if route.name
    in {"token_endpoint", "revocation_endpoint", "userinfo_endpoint", "pushed_authorization_request_endpoint"}
)
_ENDPOINTS: Final = {route.name: route.path for route in routes if route.name.endswith(("_endpoint", "_uri"))}
