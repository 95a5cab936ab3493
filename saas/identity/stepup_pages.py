"""Confirm who you are: by password or passkey, in a session that goes on."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from saas.identity.authentication import MAX_TYPED, authenticate
from saas.identity.browser import address_of, find_person, page, to_sign_in
from saas.identity.errors import PasskeyRefused, TooManyAttempts
from saas.identity.places import place_of, remember_browser
from saas.identity.service import email_key
from saas.identity.signed_in import SignedIn
from saas.identity.signing_in import arrive, target_of
from saas.identity.stepup import CONFIRM
from saas.web.csrf import read_form
from saas.web.pages import render


async def show_confirm(request: Request) -> Response:
    async with request.app.state.database.tenant_session(request.scope["tenant"]) as session:
        person = await find_person(request, session)
        return to_sign_in(target_of(request)) if person is None else await _page(request, session, person)


async def confirm_by_password(request: Request) -> Response:
    """The hash is computed between two transactions, so that no connection waits for it."""
    await request.body()
    state, tenant = request.app.state, request.scope["tenant"]
    async with state.database.tenant_session(tenant) as session:
        person = await find_person(request, session)
        if person is None:
            return to_sign_in(target_of(request))
        password = (await read_form(request)).get("password", "")
        if not 0 < len(password) <= MAX_TYPED:
            return await _page(request, session, person, {"password": "Enter your password."})
        try:
            await state.throttle.password(tenant.id, email_key(person.email), address_of(request))
        except TooManyAttempts as error:
            return await _too_many(request, session, person, error)
    proven = await authenticate(state.database, state.users, tenant, email_key(person.email), password)
    async with state.database.tenant_session(tenant) as session:
        person = await find_person(request, session)
        if person is None:
            return to_sign_in(target_of(request))
        mine = proven is not None and proven.credentials.user_id == person.user_id
        if proven is None or not mine or not await state.users.confirm(session, *proven):
            return await _page(request, session, person, {"password": "This is not your password."})
        return await _confirmed(request, session, person)


async def confirm_by_passkey(request: Request) -> Response:
    await request.body()
    state, tenant = request.app.state, request.scope["tenant"]
    async with state.database.tenant_session(tenant) as session:
        person = await find_person(request, session)
        if person is None:
            return to_sign_in(target_of(request))
        form, place = await read_form(request), place_of(request, "confirm", person.user_id)
        try:
            await state.throttle.factor(tenant.id, person.user_id, address_of(request))
            await state.passkeys.prove(session, place, form.get("state", ""), form.get("credential", ""))
        except TooManyAttempts as error:
            return await _too_many(request, session, person, error)
        except PasskeyRefused as error:
            return await _page(request, session, person, {"form": error.detail})
        return await _confirmed(request, session, person)


async def _confirmed(request: Request, session: AsyncSession, person: SignedIn) -> Response:
    cookie = await request.app.state.sessions.confirm(session, person)
    target = target_of(request)
    return to_sign_in(target) if cookie is None else arrive(request, cookie, target)


async def _too_many(request: Request, session: AsyncSession, person: SignedIn, error: TooManyAttempts) -> Response:
    response = await _page(request, session, person, {"form": error.detail}, error.status)
    response.headers.update(error.headers)
    return response


async def _page(
    request: Request, session: AsyncSession, person: SignedIn, errors: dict[str, str] | None = None, status: int = 422
) -> Response:
    query = f"?{request.url.query}" if request.url.query else ""
    response = render(
        request,
        "identity/confirm.html",
        status if errors else 200,
        scripts=True,
        user=person,
        unsent=request.query_params.get("unsent") == "1",
        passkey=await request.app.state.passkeys.ask(session, place_of(request, "confirm", person.user_id)),
        passkey_action=f"{CONFIRM}/passkey{query}",
        errors=errors or {},
    )
    return remember_browser(request, response)


routes: Final = [
    page(CONFIRM, show_confirm, "GET"),
    page(CONFIRM, confirm_by_password, "POST"),
    page(f"{CONFIRM}/passkey", confirm_by_passkey, "POST"),
]
