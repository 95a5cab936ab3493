"""Pages on which people sign in and out; `routes` holds all pages of identity but the development mailbox."""

from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from saas.identity import account_pages, link_pages
from saas.identity.authentication import MAX_TYPED, Proven, authenticate, note_refusal
from saas.identity.browser import HOME, address_of, find_person, page, safe_target, see_other, start_session
from saas.identity.cookies import clear_cookie, read_cookie, set_cookie
from saas.identity.errors import InvalidEmail, TooManyAttempts
from saas.identity.service import MAX_EMAIL, check_email, email_key
from saas.web.csrf import read_form
from saas.web.pages import go_on, render
from tenants.registry import Tenant

#: Where targets lead to other hosts in the end (see `go_on`).
_PROTOCOL: Final = "/oauth2/"
_NOTICES: Final = {"password-reset": "Your password is changed. Sign in with the new one."}
#: One text for all that may be wrong: no account, no password yet, a disabled account, another password.
_WRONG: Final = "The e-mail address or the password is not right."


async def show_sign_in(request: Request) -> Response:
    """Also to people who are signed in, where something asks for it: `prompt=login`, say."""
    if "return_to" not in request.query_params:
        state, tenant = request.app.state, request.scope["tenant"]
        async with state.database.tenant_session(tenant) as session:
            if await state.sessions.find(session, read_cookie(request)) is not None:
                return see_other(HOME)
    hint = request.query_params.get("login_hint", "")[:MAX_EMAIL]
    notice = _NOTICES.get(request.query_params.get("notice", ""))
    return await _sign_in_page(request, email=hint if hint.isprintable() else "", notice=notice)


async def sign_in(request: Request) -> Response:
    form = await read_form(request)
    email, password = form.get("email", "")[: 2 * MAX_EMAIL].strip(), form.get("password", "")
    errors: dict[str, str] = {}
    try:
        email = check_email(email)
    except InvalidEmail:
        errors["email"] = "Enter your e-mail address, like ann@example.com."
    if not 0 < len(password) <= MAX_TYPED:
        errors["password"] = "Enter your password."  # noqa: S105 - said to a person
    if errors:
        return await _sign_in_page(request, 422, email=email, errors=errors)
    state, tenant = request.app.state, request.scope["tenant"]
    try:
        await state.throttle.password(tenant.id, email_key(email), address_of(request))
    except TooManyAttempts as error:
        return await _sign_in_page(request, error.status, error.headers, email=email, errors={"form": error.detail})
    proven = await authenticate(state.database, state.users, tenant, email_key(email), password)
    cookie = None if proven is None else await _start_session(request, tenant, proven)
    if cookie is None:
        note = partial(note_refusal, state.database, state.users, tenant, email_key(email))
        state.background.start("note a sign-in that failed", note)
        return await _sign_in_page(request, 422, email=email, errors={"form": _WRONG})
    target = safe_target(request.query_params.get("return_to")) or HOME
    response = go_on(request, target) if target.startswith(_PROTOCOL) else see_other(target)
    set_cookie(response, tenant, cookie, state.sessions.lifetime)
    return response


async def show_sign_out(request: Request) -> Response:
    async with request.app.state.database.tenant_session(request.scope["tenant"]) as session:
        person = await find_person(request, session)
    if person is None:
        return render(request, "identity/signed_out.html", app_name=None, return_url=None)
    return render(request, "identity/signout.html", user=person, app_name=None, hidden={})


async def sign_out(request: Request) -> Response:
    await request.body()
    state, tenant = request.app.state, request.scope["tenant"]
    async with state.database.tenant_session(tenant) as session:
        person = await find_person(request, session)
        if person is not None:
            form = await read_form(request)
            if form.get("decision") == "stay":
                return see_other(HOME)
            await state.sessions.end(session, tenant, person.user_id, person.session_id)
    response = see_other("/signout")
    clear_cookie(response, tenant)
    return response


async def _start_session(request: Request, tenant: Tenant, proven: Proven) -> str | None:
    """The new session's cookie; None where the account was disabled, or its password changed, a moment ago."""
    state = request.app.state
    async with state.database.tenant_session(tenant) as session:
        if not await state.users.confirm(session, *proven):
            return None
        return await start_session(request, session, proven.credentials.user_id)


async def _sign_in_page(
    request: Request,
    status: int = 200,
    headers: dict[str, str] | None = None,
    *,
    email: str,
    notice: str | None = None,
    errors: dict[str, str] | None = None,
) -> Response:
    target = safe_target(request.query_params.get("return_to"))
    context: dict[str, Any] = {"email": email, "notice": notice, "errors": errors or {}}
    response = render(request, "identity/signin.html", status, app_name=await _app_at(request, target), **context)
    response.headers.update(headers or {})
    return response


async def _app_at(request: Request, target: str | None) -> str | None:
    if target is None or not target.startswith(_PROTOCOL):
        return None
    name: str | None = await request.app.state.connected_apps.name_at(request.scope["tenant"], target)
    return name


routes: Final = [
    page("/signin", show_sign_in, "GET"),
    page("/signin", sign_in, "POST"),
    page("/signout", show_sign_out, "GET"),
    page("/signout", sign_out, "POST"),
    *account_pages.routes,
    *link_pages.routes,
]
