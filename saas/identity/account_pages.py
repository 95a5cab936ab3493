"""A person's own page: their name, their password, their sessions, the apps that act for them."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from saas.identity.authentication import MAX_TYPED, Proven, authenticate
from saas.identity.browser import (
    HOME,
    Form,
    address_of,
    by_person,
    find_person,
    page,
    see_other,
    start_session,
    to_sign_in,
)
from saas.identity.cookies import set_cookie
from saas.identity.devices import describe
from saas.identity.errors import InvalidPersonName, TooManyAttempts, WeakPassword
from saas.identity.mails import password_changed_mail
from saas.identity.password_rules import check_new_password
from saas.identity.passwords import hash_password
from saas.identity.roles import scopes_of
from saas.identity.service import MAX_NAME, email_key
from saas.identity.signed_in import SignedIn
from saas.web.csrf import read_form
from saas.web.pages import render

_NOTICES: Final = {
    "profile": "Your name is saved.",
    "password": "Your password is changed. Your other sessions have ended.",
    "session": "The session has ended.",
    "sessions": "All other sessions have ended.",
    "app": "The app has no access any more.",
    "welcome": "Welcome! Your account is ready.",
}
_MAX_CLIENT_ID: Final = 255


async def show_account(request: Request) -> Response:
    async with request.app.state.database.tenant_session(request.scope["tenant"]) as session:
        person = await find_person(request, session)
        if person is None:
            return to_sign_in()
        return await _account(request, session, person, notice=_NOTICES.get(request.query_params.get("notice", "")))


@by_person
async def save_profile(request: Request, session: AsyncSession, person: SignedIn, form: Form) -> Response:
    name = form.get("name", "")[: MAX_NAME + 1]
    try:
        await request.app.state.users.rename(session, person.user_id, name)
    except InvalidPersonName as error:
        return await _account(request, session, person, name=name, errors={"name": error.detail})
    return _done("profile")


@by_person
async def end_session(request: Request, session: AsyncSession, person: SignedIn, form: Form) -> Response:
    try:
        session_id = UUID(form.get("session", ""))
    except ValueError:
        return see_other(HOME)
    await request.app.state.sessions.end(session, request.scope["tenant"], person.user_id, session_id)
    return _done("session")


@by_person
async def end_other_sessions(request: Request, session: AsyncSession, person: SignedIn, _: Form) -> Response:
    sessions = request.app.state.sessions
    await sessions.end_all(session, request.scope["tenant"], person.user_id, keep=person.session_id)
    return _done("sessions")


@by_person
async def revoke_app(request: Request, session: AsyncSession, person: SignedIn, form: Form) -> Response:
    client_id = form.get("app", "")
    if not 0 < len(client_id) <= _MAX_CLIENT_ID or not (client_id.isascii() and client_id.isprintable()):
        return see_other(HOME)
    apps = request.app.state.connected_apps
    await apps.revoke(session, request.scope["tenant"], person.user_id, client_id)
    return _done("app")


async def change_password(request: Request) -> Response:
    """Hashes are computed between two transactions, so that no connection waits for them."""
    await request.body()
    state, tenant = request.app.state, request.scope["tenant"]
    async with state.database.tenant_session(tenant) as session:
        person = await find_person(request, session)
        if person is None:
            return to_sign_in()
        form, policy = await read_form(request), await state.policies.read(session)
    current, new = form.get("current_password", ""), form.get("new_password", "")
    if not 0 < len(current) <= MAX_TYPED:
        return await _refused(request, 422, {"current_password": "Enter your present password."})
    try:
        await check_new_password(new, policy.password_min, personal=(person.email, person.name))
        await state.throttle.password(tenant.id, email_key(person.email), address_of(request))
    except WeakPassword as error:
        return await _refused(request, 422, {"new_password": error.detail})
    except TooManyAttempts as error:
        return await _refused(request, error.status, {"form": error.detail}, error.headers)
    proven = await authenticate(state.database, state.users, tenant, email_key(person.email), current)
    cookie = None if proven is None else await _replace_password(request, proven, await hash_password(new))
    if cookie is None:
        return await _refused(request, 422, {"current_password": "This is not your present password."})
    message = password_changed_mail(tenant, person.email)
    state.background.start("mail that a password was changed", lambda: state.mailer.send(message))
    response = _done("password")
    set_cookie(response, tenant, cookie, state.sessions.lifetime)
    return response


async def _replace_password(request: Request, proven: Proven, password_hash: str) -> str | None:
    """The cookie under which the session goes on; None where session or password have changed meanwhile."""
    state, tenant = request.app.state, request.scope["tenant"]
    async with state.database.tenant_session(tenant) as session:
        person = await find_person(request, session)
        if person is None or person.user_id != proven.credentials.user_id:
            return None
        if not await state.users.change_password(
            session, tenant, proven.credentials, password_hash, keep=person.session_id
        ):
            return None
        # What else was proven when this session began still holds, but was not proven now.
        more = (person.amr, person.authenticated_at) if "mfa" in person.amr else ()
        return await start_session(request, session, person.user_id, *more)


async def _refused(
    request: Request, status: int, errors: dict[str, str], headers: Mapping[str, str] | None = None
) -> Response:
    async with request.app.state.database.tenant_session(request.scope["tenant"]) as session:
        person = await find_person(request, session)
        if person is None:
            return to_sign_in()
        response = await _account(request, session, person, errors=errors, status=status)
    response.headers.update(headers or {})
    return response


async def _account(
    request: Request,
    session: AsyncSession,
    person: SignedIn,
    *,
    name: str | None = None,
    notice: str | None = None,
    errors: Mapping[str, str] | None = None,
    status: int | None = None,
) -> Response:
    """`name` is what was typed, where it was refused."""
    state = request.app.state
    listed = [
        {
            "id": str(found.id),
            "device": describe(found.user_agent),
            "address": found.address,
            "last_seen": found.last_seen_at,
            "current": found.id == person.session_id,
        }
        for found in await state.sessions.list(session, person.user_id)
    ]
    scopes = await scopes_of(session, person.roles, state.catalogue)
    return render(
        request,
        "identity/account.html",
        status or (422 if errors else 200),
        console=not scopes.isdisjoint(state.catalogue.administrative),
        user={"name": person.name if name is None else name, "email": person.email},
        min_length=(await state.policies.read(session)).password_min,
        factors=await state.factors.of(session, person.user_id),
        sessions=sorted(listed, key=lambda one: not one["current"]),
        apps=await state.connected_apps.list(session, person.user_id),
        notice=notice,
        errors=errors or {},
    )


def _done(notice: str) -> Response:
    return see_other(f"{HOME}?notice={notice}")


routes: Final = [
    page(HOME, show_account, "GET"),
    page(f"{HOME}/profile", save_profile, "POST"),
    page(f"{HOME}/password", change_password, "POST"),
    page(f"{HOME}/sessions/end", end_session, "POST"),
    page(f"{HOME}/sessions/end-others", end_other_sessions, "POST"),
    page(f"{HOME}/apps/revoke", revoke_app, "POST"),
]
