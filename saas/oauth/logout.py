"""RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0): a client sends a person here to sign them out.

A client that proves by an ID token that it means the very session of this browser is believed; otherwise the person is
asked, since any site may lead here.
"""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from saas.authserver.client import Client
from saas.authserver.destination import Parameters, Undeliverable
from saas.authserver.id_token import Hint, read_hint
from saas.identity.browser import HOME, find_person, page, see_other
from saas.identity.cookies import clear_cookie
from saas.identity.signed_in import SignedIn
from saas.web.csrf import read_form
from saas.web.pages import error_page, render
from tenants.registry import Tenant

PATH: Final = "/oauth2/logout"
#: The field of the confirmation's form.
_DECISION: Final = "decision"
_NO_STORE: Final = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a request asks for. `hint` is there if it is an ID token of this tenant, for this client."""

    client: Client | None
    hint: Hint | None
    return_to: str | None
    state: str | None

    def is_for(self, person: SignedIn) -> bool:
        """Whether the client has proven that it means this person, in this session."""
        hint = self.hint
        if hint is None or hint.subject != str(person.user_id):
            return False
        return hint.session_id is None or hint.session_id == str(person.session_id)


async def logout(request: Request) -> Response:
    try:
        wish = await _wish_of(request)
    except Undeliverable as error:
        return _refusal(request, error)
    state, tenant = request.app.state, request.scope["tenant"]
    async with state.database.tenant_session(tenant) as session:
        person = await find_person(request, session)
        if person is not None and not wish.is_for(person):
            return _confirmation(request, wish, person)
        if person is not None:
            await state.sessions.end(session, tenant, person.user_id, person.session_id)
    return _signed_out(request, wish)


async def logout_by_form(request: Request) -> Response:
    """What the person decided; or a client's request by POST, which is sent on as a GET.

    With a form of another site browsers do not send our session's cookie.
    """
    body = (await request.body()).decode("latin-1")
    try:
        fields = Parameters.of(body)
        if _DECISION not in fields.values:
            return see_other(f"{PATH}?{urlencode(fields.values)}")
        wish = await _wish_of(request)
    except Undeliverable as error:
        return _refusal(request, error)
    state, tenant = request.app.state, request.scope["tenant"]
    async with state.database.tenant_session(tenant) as session:
        person = await find_person(request, session)
        form = await read_form(request)
        if form[_DECISION] != "signout":
            return see_other(HOME)
        if person is not None:
            await state.sessions.end(session, tenant, person.user_id, person.session_id)
    return _signed_out(request, wish)


async def _wish_of(request: Request) -> _Wish:
    """Raises Undeliverable, where the person would be led to an address that is not the client's."""
    state, tenant = request.app.state, request.scope["tenant"]
    parameters = Parameters.of(request.scope["query_string"].decode("latin-1"))
    if parameters.repeated:
        raise Undeliverable("The address that led here cannot be read.")
    given = parameters.get("id_token_hint")
    ring = await state.keys.ring(tenant) if given else None
    hint = read_hint(given, tenant.issuer, ring.verification_key) if given and ring else None
    client_id = parameters.get("client_id")
    if hint is not None and client_id not in {None, hint.client_id}:
        hint = None  # section 2: both must name the same client
    client_id = client_id or (hint.client_id if hint else None)
    client = await state.clients.find(tenant, client_id) if client_id else None
    return_to = parameters.get("post_logout_redirect_uri")
    if return_to is not None and (client is None or return_to not in client.post_logout_redirect_uris):
        raise Undeliverable("The application that led here gave a return address that is not registered for it.")
    return _Wish(client, hint if client else None, return_to, parameters.get("state"))


def _confirmation(request: Request, wish: _Wish, person: SignedIn) -> Response:
    return render(
        request,
        "identity/signout.html",
        form_action=() if wish.return_to is None else (wish.return_to,),
        user=person,
        app_name=wish.client.name if wish.client else None,
        hidden={},
    )


def _signed_out(request: Request, wish: _Wish) -> Response:
    """Back to the client, or a page; without the cookie in any case."""
    tenant: Tenant = request.scope["tenant"]
    response: Response
    if wish.return_to is None:
        shown: dict[str, Any] = {"app_name": wish.client.name if wish.client else None, "return_url": None}
        response = render(request, "identity/signed_out.html", **shown)
    else:
        query = "" if wish.state is None else urlencode({"state": wish.state})
        separator = "" if not query else "&" if "?" in wish.return_to else "?"
        response = RedirectResponse(f"{wish.return_to}{separator}{query}", 303, _NO_STORE)
    clear_cookie(response, tenant)
    return response


def _refusal(request: Request, error: Undeliverable) -> Response:
    return error_page(request, 400, "This link does not work", f"{error} Go back to it, and tell who runs it.")


routes: Final = [
    page(PATH, logout, "GET", name="end_session_endpoint"),
    page(PATH, logout_by_form, "POST"),
]
