"""The device authorization endpoint (RFC 8628 section 3.1): a device without a browser asks to be let in."""

import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from saas.authserver.device import INTERVAL, LIFETIME, scopes_asked, shown
from saas.authserver.errors import OAuth2Error
from saas.authserver.server import error_response
from saas.kit.clock import utc_now
from saas.kit.ids import new_secret
from saas.oauth import device_pages
from saas.oauth.exchange import NO_STORE, authenticated_request, sent
from saas.oauth.grants.devices import begin
from tenants.registry import Tenant


async def device_authorization(request: Request) -> Response:
    """The codes are committed before they are sent."""
    tenant: Tenant = request.scope["tenant"]
    try:
        form, client = await authenticated_request(request, "device_authorization")
        scopes = scopes_asked(form.form, client)
    except OAuth2Error as error:
        return sent(error_response(error))
    device_code = new_secret()
    async with request.app.state.database.direct(tenant) as direct:
        user_code = shown(await begin(direct, device_code, client, scopes, utc_now()))
    page = tenant.issuer + device_pages.PATH
    answer: dict[str, Any] = {
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?user_code={user_code}",
        "expires_in": LIFETIME,
        "interval": INTERVAL,
    }
    return Response(json.dumps(answer), 200, NO_STORE, "application/json")


routes: Final = [
    Route("/oauth2/device_authorization", device_authorization, methods=["POST"], name="device_authorization_endpoint"),
    *device_pages.routes,
]
