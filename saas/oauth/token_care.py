"""What a client does with tokens other than to get and to use them: it gives them back, or asks what they stand for."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from saas.authserver.endpoints.introspection import IntrospectionEndpoint
from saas.authserver.endpoints.revocation import RevocationEndpoint
from saas.authserver.errors import OAuth2Error
from saas.authserver.server import ProtocolResponse, Server, error_response
from saas.authserver.store import Storage
from saas.authserver.tokens import Issuer
from saas.keys.ring import KeyRing
from saas.oauth.exchange import read_client_request, sent
from saas.oauth.store import ResolvedClient
from tenants.registry import Tenant


async def revoke(request: Request) -> Response:
    """RFC 7009 section 2."""
    return await _answer(request, RevocationEndpoint)


async def introspect(request: Request) -> Response:
    """RFC 7662 section 2."""
    return await _answer(request, IntrospectionEndpoint)


async def _answer(request: Request, endpoint: Any) -> Response:
    """All that may have to wait is looked up before the engine is entered."""
    tenant: Tenant = request.scope["tenant"]
    state = request.app.state
    try:
        form, client = await read_client_request(request)
    except OAuth2Error as error:
        return sent(error_response(error))
    claims = await state.verifier.claims(tenant, form.form.get("token", ""))
    ring: KeyRing = await state.keys.ring(tenant)
    lifetimes = state.settings.tokens
    ttl = tenant.plan.token_seconds(lifetimes.access_ttl)
    issuer = Issuer(tenant.issuer, str(tenant.id), ring.signer(), ttl)

    def work(storage: Storage) -> ProtocolResponse:
        server = Server(issuer, ResolvedClient(client), storage, lifetimes=lifetimes)
        return server.answer(endpoint(server, claims), form)

    return sent(await state.grants.run(tenant, work))


routes: Final = [
    Route("/oauth2/revoke", revoke, methods=["POST"], name="revocation_endpoint"),
    Route("/oauth2/introspect", introspect, methods=["POST"], name="introspection_endpoint"),
]
