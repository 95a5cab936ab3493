"""Where somebody is led who has to have a second factor and has none: after the password, before anything else.

They are not signed in yet; they are when they have proven the new factor.
"""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from saas.identity.browser import address_of, page, see_other, start_session
from saas.identity.enrolment import WRONG_CODE, add_passkey, add_totp, codes_page, first_codes, totp_page
from saas.identity.errors import PasskeyRefused, TooManyAttempts
from saas.identity.pending import find_pending
from saas.identity.places import place_of
from saas.identity.signing_in import ENROL, admit, target_of, with_target
from saas.identity.users import User
from saas.web.csrf import read_form


async def show_enrolment(request: Request) -> Response:
    async with request.app.state.database.tenant_session(request.scope["tenant"]) as session:
        user = await _without_factor(request, session)
        return _elsewhere(request) if user is None else await _enrolment(request, session, user)


async def enrol_totp(request: Request) -> Response:
    await request.body()
    state, tenant = request.app.state, request.scope["tenant"]
    async with state.database.tenant_session(tenant) as session:
        user = await _without_factor(request, session)
        if user is None:
            return _elsewhere(request)
        form = await read_form(request)
        try:
            await state.throttle.factor(tenant.id, user.id, address_of(request))
        except TooManyAttempts as error:
            return await _enrolment(request, session, user, form.get("secret", ""), {"form": error.detail})
        if not await add_totp(request, session, user.id, user.email, form):
            return await _enrolment(request, session, user, form.get("secret", ""), {"code": WRONG_CODE})
        return await _enrolled(request, session, user, ("pwd", "otp", "mfa"))


async def enrol_passkey(request: Request) -> Response:
    await request.body()
    async with request.app.state.database.tenant_session(request.scope["tenant"]) as session:
        user = await _without_factor(request, session)
        if user is None:
            return _elsewhere(request)
        form = await read_form(request)
        try:
            proven = await add_passkey(request, session, user.id, user.email, form)
        except PasskeyRefused as error:
            return await _enrolment(request, session, user, errors={"form": error.detail})
        return await _enrolled(request, session, user, ("pwd", *proven, "mfa"))


async def _without_factor(request: Request, session: AsyncSession) -> User | None:
    """Nobody where there is a factor: who knows a password alone must not add one of their own."""
    user = await find_pending(request, session)
    if user is None or (await request.app.state.factors.of(session, user.id)).any:
        return None
    return user


def _elsewhere(request: Request) -> Response:
    """The time is over, or there is a factor by now: sign-in finds out what is next."""
    return see_other(with_target("/signin", target_of(request)))


async def _enrolled(request: Request, session: AsyncSession, user: User, amr: tuple[str, ...]) -> Response:
    codes = await first_codes(request, session, user.id)
    cookie = await start_session(request, session, user.id, amr)
    return admit(request, codes_page(request, user.email, codes, target_of(request)), cookie)


async def _enrolment(
    request: Request, session: AsyncSession, user: User, sealed: str = "", errors: dict[str, str] | None = None
) -> Response:
    place = place_of(request, "create", user.id)
    passkey = await request.app.state.passkeys.ask_to_create(session, place, user.email, user.name)
    action = with_target(f"{ENROL}/passkey", target_of(request))
    context = {"required": True, "passkey": passkey, "passkey_action": action, "back": "/signin"}
    return totp_page(request, user.id, user.email, sealed=sealed, errors=errors, **context)


routes: Final = [
    page(ENROL, show_enrolment, "GET"),
    page(ENROL, enrol_totp, "POST"),
    page(f"{ENROL}/passkey", enrol_passkey, "POST"),
]
