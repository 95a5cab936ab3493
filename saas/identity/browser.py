"""What the pages of a person have in common: who is behind the request, from where, and where it leads next."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from functools import wraps
from typing import Final
from urllib.parse import quote
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from saas.audit.actor import Actor, identify
from saas.identity.cookies import read_cookie
from saas.identity.sessions import SessionService
from saas.identity.signed_in import SignedIn
from saas.web.address import client_address
from saas.web.csrf import read_form
from saas.web.pages import error_page
from tenants.names import normalize_host
from tenants.registry import Tenant

HOME: Final = "/account"
_MAX_TARGET: Final = 8000
_SEGMENT: Final = r"[A-Za-z0-9._~!$&'()*+,;=:@%-]"
# No backslash, which browsers take for a slash; no control character, which they drop; no second slash at the
# beginning, which makes a host of what follows; no dot segment, for nobody needs one.
_TARGET: Final = re.compile(rf"/(?!/)(?:{_SEGMENT}|/(?!/))*(?:\?(?:{_SEGMENT}|[/?])*)?")
_DOTS: Final = re.compile(r"/(?:\.|%2e){1,2}(?:/|\?|$)", re.IGNORECASE)

Endpoint = Callable[[Request], Awaitable[Response]]
Form = Mapping[str, str]
Act = Callable[[Request, AsyncSession, SignedIn, Form], Awaitable[Response]]


def page(path: str, endpoint: Endpoint, *methods: str, name: str | None = None) -> Route:
    """A route for people, on the tenant's own hosts only: `X-Tenant` never picks a tenant for a browser."""

    @wraps(endpoint)
    async def on_own_host(request: Request) -> Response:
        tenant: Tenant = request.scope["tenant"]
        host = normalize_host(request.headers.get("host", ""))
        if host != tenant.host and host not in tenant.domains:
            return error_page(request, 404, "Nothing is here", f"Open this page at {tenant.issuer}.")
        return await endpoint(request)

    return Route(path, on_own_host, methods=list(methods), name=name)


def safe_target(value: str | None) -> str | None:
    """`value` if it is a path of this host, perhaps with a query; None for anything that could lead elsewhere."""
    if value is None or len(value) > _MAX_TARGET or not _TARGET.fullmatch(value) or _DOTS.search(value.split("?")[0]):
        return None
    return value


async def find_person(request: Request, session: AsyncSession) -> SignedIn | None:
    """Who is signed in. Forms of the answer, and the form that was sent, belong to this session (see `web.csrf`)."""
    sessions: SessionService = request.app.state.sessions
    person = await sessions.find(session, read_cookie(request))
    request.scope["session_id"] = None if person is None else str(person.session_id)
    if person is not None:
        identify(request.scope, Actor("user", str(person.user_id), person.email))
    return person


def by_person(act: Act) -> Endpoint:
    """A form that somebody who is signed in has sent, in one transaction; it commits before the answer goes out."""

    @wraps(act)
    async def endpoint(request: Request) -> Response:
        await request.body()  # before a connection is taken: who sends slowly holds none
        async with request.app.state.database.tenant_session(request.scope["tenant"]) as session:
            person = await find_person(request, session)
            if person is None:
                return to_sign_in()
            return await act(request, session, person, await read_form(request))

    return endpoint


def to_sign_in(target: str = HOME) -> Response:
    """`target` is where to come back to: a path of ours."""
    return see_other(f"/signin?return_to={quote(target, safe='/')}")


async def start_session(
    request: Request,
    session: AsyncSession,
    user_id: UUID,
    amr: Iterable[str] = ("pwd",),
    authenticated_at: datetime | None = None,
) -> str:
    """The cookie of this browser's session, of a person who has just proven themselves by `amr`; see `start`."""
    sessions: SessionService = request.app.state.sessions
    return await sessions.start(
        session,
        request.scope["tenant"],
        user_id,
        amr=amr,
        address=address_of(request),
        user_agent=request.headers.get("user-agent", ""),
        replaces=read_cookie(request),
        authenticated_at=authenticated_at,
    )


def address_of(request: Request) -> str:
    return client_address(request.scope, request.app.state.settings.public.trusted_proxies)


def see_other(path: str) -> Response:
    """After a form: the browser fetches `path`, so that a reload sends nothing again (RFC 9110 section 15.4.4)."""
    return RedirectResponse(path, 303, {"Cache-Control": "no-store"})
