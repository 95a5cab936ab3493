"""The endpoint to which clients push their authorization requests (RFC 9126), and how browsers refer to them."""

import json
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from saas.authserver.client import Client
from saas.authserver.destination import Parameters
from saas.authserver.errors import OAuth2Error
from saas.authserver.pushed_request import LIFETIME, new_request_uri, parameters_of, reference_in, unknown
from saas.authserver.server import error_response
from saas.kit.clock import utc_now
from saas.oauth import freshness
from saas.oauth.exchange import NO_STORE, authenticated_request, sent
from saas.oauth.grants.pushed_requests import open_request, push
from tenants.database import Database
from tenants.registry import Tenant


async def pushed_authorization(request: Request) -> Response:
    """RFC 9126 section 2. The request is committed before its reference is sent."""
    try:
        form, client = await authenticated_request(request, "pushed_authorization_request")
        parameters = parameters_of(form.form, client, request.scope["tenant"].issuer)
    except OAuth2Error as error:
        return sent(error_response(error))
    request_uri = new_request_uri()
    async with request.app.state.database.direct(request.scope["tenant"]) as direct:
        await push(direct, request_uri, client, parameters, utc_now())
    answer = json.dumps({"request_uri": request_uri, "expires_in": LIFETIME})
    return Response(answer, 201, NO_STORE, "application/json")


async def resolved(database: Database, tenant: Tenant, given: Parameters, client: Client | None) -> Parameters:
    """What a request says, wherever it says it: beside a reference nothing counts. Raises Undeliverable."""
    request_uri = reference_in(given)
    if request_uri is None or client is None:
        return given
    async with database.direct(tenant) as direct:
        pushed = await open_request(direct, request_uri, client, utc_now())
    if pushed is None:
        raise unknown()
    since = {name: value for name, value in given.values.items() if name == freshness.PARAMETER}
    return Parameters(pushed | since, request_uri=request_uri)


routes: Final = [
    Route("/oauth2/par", pushed_authorization, methods=["POST"], name="pushed_authorization_request_endpoint")
]
