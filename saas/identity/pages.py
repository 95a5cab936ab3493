"""Pages on which people sign in and out; `routes` holds all pages of identity but the development mailbox."""

from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from saas.identity import (
    account_pages,
    enrolment_pages,
    link_pages,
    second_step_pages,
    security_pages,
    stepup_pages,
)
from saas.identity.authentication import MAX_TYPED, Proven, authenticate, note_refusal
from saas.identity.browser import HOME, address_of, find_person, page, safe_target, see_other
from saas.identity.cookies import clear_cookie, read_cookie
from saas.identity.errors import InvalidEmail, TooManyAttempts
from saas.identity.places import place_of, remember_browser
from saas.identity.service import MAX_EMAIL, check_email, email_key
from saas.identity.signing_in import PROTOCOL, after_password, target_of, with_target
from saas.web.csrf import read_form
from saas.web.pages import render
from tenants.registry import Tenant

_NOTICES: Final = {"password-reset": "Your password is changed. Sign in with the new one."}
_PROBLEMS: Final = {"passkey": "That passkey was not accepted. Try again, or sign in with your password."}
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
    said = request.query_params.get("notice", "")
    errors = {"form": _PROBLEMS[said]} if said in _PROBLEMS else {}
    hint = hint if hint.isprintable() else ""
    return await _sign_in_page(request, email=hint, notice=_NOTICES.get(said), errors=errors)


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
    response = None if proven is None else await _go_in(request, tenant, proven)
    if response is None:
        note = partial(note_refusal, state.database, state.users, tenant, email_key(email))
        state.background.start("note a sign-in that failed", note)
        return await _sign_in_page(request, 422, email=email, errors={"form": _WRONG})
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


async def _go_in(request: Request, tenant: Tenant, proven: Proven) -> Response | None:
    """Into a session, or to the second step; None where the account was disabled, or its password changed, just now."""
    state, user_id = request.app.state, proven.credentials.user_id
    async with state.database.tenant_session(tenant) as session:
        if not await state.users.confirm(session, *proven):
            return None
        password_hash = proven.rehashed or proven.credentials.password_hash or ""
        return await after_password(request, session, user_id, password_hash, target_of(request))


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
    context["passkey"] = request.app.state.passkeys.ask_anybody(place_of(request, "sign-in"))
    context["passkey_action"] = with_target("/signin/passkey", target_of(request))
    context["app_name"] = await _app_at(request, target)
    response = render(request, "identity/signin.html", status, scripts=True, **context)
    response.headers.update(headers or {})
    return remember_browser(request, response)


async def _app_at(request: Request, target: str | None) -> str | None:
    if target is None or not target.startswith(PROTOCOL):
        return None
    name: str | None = await request.app.state.connected_apps.name_at(request.scope["tenant"], target)
    return name


routes: Final = [
    page("/signin", show_sign_in, "GET"),
    page("/signin", sign_in, "POST"),
    page("/signout", show_sign_out, "GET"),
    page("/signout", sign_out, "POST"),
    *second_step_pages.routes,
    *enrolment_pages.routes,
    *account_pages.routes,
    *security_pages.routes,
    *stepup_pages.routes,
    *link_pages.routes,
]
