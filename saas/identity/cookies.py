"""The cookies of people's browsers: the session's, and those of the way to one."""

from datetime import timedelta
from typing import Literal

from starlette.requests import HTTPConnection
from starlette.responses import Response

from tenants.registry import Tenant

#: `pending`: whose password was right, until the second step. `passkey`: what challenges to this browser are bound to.
#: `flash`: what the next page says once. `secret`: that of an app, which the next page shows once.
Kind = Literal["session", "pending", "passkey", "flash", "secret"]


def cookie_name(tenant: Tenant, kind: Kind = "session") -> str:
    """`__Host-`: only this very host sets it, over https, for all paths (RFC 6265bis): a neighbour cannot plant one."""
    return f"__Host-{kind}" if _secure(tenant) else kind


def read_cookie(request: HTTPConnection, kind: Kind = "session") -> str | None:
    return request.cookies.get(cookie_name(request.scope["tenant"], kind))


def set_cookie(response: Response, tenant: Tenant, value: str, lifetime: timedelta, kind: Kind = "session") -> None:
    response.set_cookie(
        cookie_name(tenant, kind),
        value,
        max_age=int(lifetime.total_seconds()),
        path="/",
        secure=_secure(tenant),
        httponly=True,
        samesite="lax",
    )


def clear_cookie(response: Response, tenant: Tenant, kind: Kind = "session") -> None:
    set_cookie(response, tenant, "", timedelta(0), kind)


def _secure(tenant: Tenant) -> bool:
    """By the stored issuer, since behind a proxy a request does not know how the browser came."""
    return tenant.issuer.startswith("https:")
