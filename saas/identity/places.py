"""Where a page asks for a passkey: the host and origin that a browser must name, and the browser itself."""

from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from saas.identity.challenges import Place, Purpose
from saas.identity.cookies import read_cookie, set_cookie
from saas.kit.ids import new_secret
from tenants.names import normalize_host

#: In the scope: the secret of a browser that had none when it came.
_NEW: Final = "passkey_browser"
_LIFETIME: Final = timedelta(hours=1)
_MAX_SECRET: Final = 100


def place_of(request: Request, purpose: Purpose, user_id: UUID | None = None) -> Place:
    """For a page of the tenant's own hosts (see `browser.page`)."""
    tenant, host = request.scope["tenant"], normalize_host(request.headers.get("host", ""))
    issuer = urlsplit(tenant.issuer)
    port = f":{issuer.port}" if issuer.port else ""
    browser = read_cookie(request, "passkey")
    if browser is None or not browser or len(browser) > _MAX_SECRET:
        browser = request.scope.setdefault(_NEW, new_secret())
    return Place(tenant, purpose, host, f"{issuer.scheme}://{host}{port}", browser, user_id)


def remember_browser(request: Request, response: Response) -> Response:
    """With every page that asks for a passkey: only the browser that was given the challenge may answer it."""
    if _NEW in request.scope:
        set_cookie(response, request.scope["tenant"], request.scope[_NEW], _LIFETIME, "passkey")
    return response
