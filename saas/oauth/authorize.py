"""The authorization endpoint (RFC 6749 section 3.1): a person comes with a client's request, and goes with a code.

With a session and a remembered consent that is one SELECT, one INSERT, and no page.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from saas.audit.actor import Actor, identify
from saas.audit.service import Target, record
from saas.authserver.authorization import Authorization, Holder, granted
from saas.authserver.authorization_request import AuthorizationRequest
from saas.authserver.destination import Destination, Parameters, Undeliverable
from saas.authserver.errors import AccessDenied, OAuth2Error
from saas.authserver.forms import parse_form
from saas.authserver.interaction import must_consent, must_sign_in
from saas.authserver.pushed_request import unknown
from saas.identity.browser import page
from saas.identity.cookies import read_cookie
from saas.identity.signed_in import SignedIn
from saas.kit.clock import utc_now
from saas.kit.ids import new_secret
from saas.oauth import consent_page, freshness
from saas.oauth.grants.codes import NewCode, issue
from saas.oauth.grants.consents import find_person, remember
from saas.oauth.grants.logouts import take_part
from saas.oauth.grants.pushed_requests import spend
from saas.oauth.grants.transaction import scopes_of
from saas.oauth.pushed_authorization import resolved
from saas.oauth.store import ResolvedClient
from saas.web.csrf import read_form
from saas.web.pages import error_page
from tenants.base import new_id
from tenants.direct import Direct
from tenants.registry import Tenant

PATH: Final = "/oauth2/authorize"
_SIGN_IN: Final = "/signin"
_NO_STORE: Final = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class _Visit:
    """A request that is in order, and its person, who is signed in as recently as it wants."""

    request: Request
    direct: Direct
    destination: Destination
    asked: AuthorizationRequest
    #: The reference that it came by, if the client pushed it (RFC 9126).
    request_uri: str | None
    person: SignedIn
    #: What may be granted: asked for by the client, allowed to it, and given by the person's roles.
    scopes: tuple[str, ...]
    #: What the person has allowed the client before.
    remembered: frozenset[str]
    now: datetime


_Proceed = Callable[[_Visit], Awaitable[Response]]


async def authorize(request: Request) -> Response:
    """A client's request."""
    return await _answer(request, _ask_or_issue)


async def authorize_by_form(request: Request) -> Response:
    """What the person decided; or a client's request by POST (OpenID Connect Core section 3.1.2.1).

    The latter is sent on as a GET: with a form of another site browsers do not send our session's cookie.
    """
    try:
        fields = parse_form(request.headers.get("content-type"), await request.body())
    except OAuth2Error:
        return error_page(request, 400, "This link does not work", "Go back to where it was, and tell who runs it.")
    if consent_page.DECISION in dict(fields):
        return await _answer(request, _decide)
    return _redirect(request, f"{PATH}?{urlencode(fields)}")


async def _answer(request: Request, proceed: _Proceed) -> Response:
    """The page for the person, or the redirect to the client, that everything ends in."""
    tenant: Tenant = request.scope["tenant"]
    try:
        given = Parameters.of(request.scope["query_string"].decode("latin-1"))
        client = await request.app.state.clients.find(tenant, given.get("client_id") or "")
        parameters = await resolved(request.app.state.database, tenant, given, client)
        destination = Destination.of(parameters, ResolvedClient(client), tenant.issuer)
        return await _deliver(request, parameters, destination, proceed)
    except Undeliverable as error:
        return error_page(request, 400, "This link does not work", f"{error} Go back to it, and tell who runs it.")


async def _deliver(request: Request, parameters: Parameters, destination: Destination, proceed: _Proceed) -> Response:
    try:
        asked = AuthorizationRequest.of(parameters, destination.client, destination.issuer)
        return await _with_person(request, parameters, destination, asked, proceed)
    except OAuth2Error as error:
        if parameters.request_uri is not None:
            async with request.app.state.database.direct(request.scope["tenant"]) as direct:
                await spend(direct, parameters.request_uri, destination.client)
        return _redirect(request, destination.error_url(error))


async def _with_person(
    request: Request, parameters: Parameters, destination: Destination, asked: AuthorizationRequest, proceed: _Proceed
) -> Response:
    """Proceed in one transaction, unless the person has to sign in first."""
    state, tenant, client, now = request.app.state, request.scope["tenant"], destination.client, utc_now()
    since = freshness.open_since(state.sealer, tenant, asked.challenge, parameters.get(freshness.PARAMETER), now)
    async with state.database.direct(tenant) as direct:
        person, remembered = await find_person(direct, state.sessions, read_cookie(request), client)
        authenticated_at = None if person is None else person.authenticated_at
        if must_sign_in(asked, authenticated_at, since, now) or person is None:
            return _to_sign_in(request, parameters, asked, now)
        request.scope["session_id"] = str(person.session_id)  # forms belong to it
        identify(request.scope, Actor("user", str(person.user_id), person.email))
        holder = Holder(person.user_id, True, await scopes_of(direct, person.roles, state.catalogue))
        scopes = granted(asked.scopes, client, holder)
        pushed = parameters.request_uri
        return await proceed(_Visit(request, direct, destination, asked, pushed, person, scopes, remembered, now))


async def _ask_or_issue(visit: _Visit) -> Response:
    if not visit.scopes:
        raise AccessDenied("The person has nothing of what is asked for")
    if must_consent(visit.asked, visit.destination.client, visit.scopes, visit.remembered):
        return _consent_page(visit)
    return await _issue(visit, visit.scopes)


async def _decide(visit: _Visit) -> Response:
    """Whoever sent the form, only what the page showed is granted: roles may have grown since."""
    form = await read_form(visit.request)
    shown = form.get(consent_page.SHOWN, "").split(" ")
    scopes = tuple(scope for scope in visit.scopes if scope in shown)
    if form[consent_page.DECISION] != consent_page.ALLOW or not scopes:
        raise AccessDenied
    client, allowed = visit.destination.client, visit.remembered.union(scopes)
    await remember(visit.direct, visit.person.user_id, client.id, allowed, visit.now)
    target = Target("client", client.client_id, client.name)
    record(visit.direct, "consent.granted", target=target, details={"scopes": scopes})
    return await _issue(visit, scopes)


async def _issue(visit: _Visit, scopes: tuple[str, ...]) -> Response:
    """The code is committed before it is sent. Raises Undeliverable where the request was answered already."""
    client = visit.destination.client
    if visit.request_uri is not None and not await spend(visit.direct, visit.request_uri, client):
        raise unknown()
    person, asked, code = visit.person, visit.asked, new_secret()
    authorization = Authorization(
        grant_id=new_id(),
        client=client,
        user_id=person.user_id,
        scopes=scopes,
        session_id=person.session_id,
        authenticated_at=person.authenticated_at,
        amr=person.amr,
        nonce=asked.nonce,
        resource=asked.resource,
    )
    end = visit.now + timedelta(seconds=visit.request.app.state.settings.tokens.code_ttl)
    new = NewCode(code, authorization, visit.destination.redirect_uri, asked.challenge, visit.now, end)
    await issue(visit.direct, new)
    await take_part(visit.direct, person.session_id, authorization.client, scopes)
    return _redirect(visit.request, visit.destination.url([("code", code)]))


def _consent_page(visit: _Visit) -> Response:
    return consent_page.show(
        visit.request,
        visit.destination,
        visit.person,
        visit.scopes,
        visit.remembered,
        switch_url=_sign_in_url(visit.request.url.query),
    )


def _to_sign_in(request: Request, parameters: Parameters, asked: AuthorizationRequest, now: datetime) -> Response:
    state, tenant = request.app.state, request.scope["tenant"]
    back = {name: value for name, value in parameters.carried.items() if name != freshness.PARAMETER}
    if asked.needs_fresh_sign_in:
        back[freshness.PARAMETER] = freshness.seal_since(state.sealer, tenant, asked.challenge, now)
    return _redirect(request, _sign_in_url(urlencode(back), parameters.get("login_hint")))


def _sign_in_url(query: str, login_hint: str | None = None) -> str:
    hint = {"login_hint": login_hint} if login_hint else {}
    return f"{_SIGN_IN}?{urlencode({'return_to': f'{PATH}?{query}', **hint})}"


def _redirect(request: Request, url: str) -> Response:
    """After a form it is 303, with which no browser sends the form on (RFC 9700 section 4.12)."""
    return Response(status_code=303 if request.method == "POST" else 302, headers={"Location": url, **_NO_STORE})


_by_link = page(PATH, authorize, "GET", name="authorization_endpoint")
_by_link.methods = {"GET"}  # Starlette adds HEAD, which asks for nothing and would be answered with a code

routes: Final = [
    _by_link,
    page(PATH, authorize_by_form, "POST"),
]
