"""The cookie that holds a browser's session."""

from datetime import timedelta

from starlette.requests import HTTPConnection
from starlette.responses import Response

from tenants.registry import Tenant


def cookie_name(tenant: Tenant) -> str:
    """`__Host-`: only this very host sets it, over https, for all paths (RFC 6265bis): a neighbour cannot plant one."""
    return "__Host-session" if _secure(tenant) else "session"


def read_cookie(request: HTTPConnection) -> str | None:
    return request.cookies.get(cookie_name(request.scope["tenant"]))


def set_cookie(response: Response, tenant: Tenant, value: str, lifetime: timedelta) -> None:
    response.set_cookie(
        cookie_name(tenant),
        value,
        max_age=int(lifetime.total_seconds()),
        path="/",
        secure=_secure(tenant),
        httponly=True,
        samesite="lax",
    )


def clear_cookie(response: Response, tenant: Tenant) -> None:
    set_cookie(response, tenant, "", timedelta(0))


def _secure(tenant: Tenant) -> bool:
    """By the stored issuer, since behind a proxy a request does not know how the browser came."""
    return tenant.issuer.startswith("https:")
