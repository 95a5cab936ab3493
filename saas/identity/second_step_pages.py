"""The second step of signing in: a code of the app, a recovery code, or a passkey; and a passkey instead of all."""

from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from saas.audit.actor import Actor
from saas.audit.service import record
from saas.identity.browser import address_of, page, see_other
from saas.identity.errors import PasskeyRefused, TooManyAttempts
from saas.identity.factors import is_recovery_code
from saas.identity.notices import tell_of_change
from saas.identity.passkeys import Proof
from saas.identity.pending import find_pending
from saas.identity.places import place_of, remember_browser
from saas.identity.signing_in import ENROL, SECOND_STEP, after_factor, target_of, with_target
from saas.identity.users import User
from saas.web.csrf import read_form
from saas.web.pages import error_page, render

_MAX_CODE: Final = 64
_WRONG: Final = "This code is not right, or was used already. Wait for the next one, or use a recovery code."


async def show_second_step(request: Request) -> Response:
    async with request.app.state.database.tenant_session(request.scope["tenant"]) as session:
        user = await find_pending(request, session)
        return _from_the_start(request) if user is None else await _second_step(request, session, user)


async def take_code(request: Request) -> Response:
    await request.body()
    state, tenant = request.app.state, request.scope["tenant"]
    async with state.database.tenant_session(tenant) as session:
        user = await find_pending(request, session)
        if user is None:
            return _from_the_start(request)
        code = (await read_form(request)).get("code", "")[:_MAX_CODE]
        try:
            await state.throttle.factor(tenant.id, user.id, address_of(request))
        except TooManyAttempts as error:
            return await _too_many(request, session, user, error)
        if is_recovery_code(code):
            right = await state.factors.use_recovery_code(session, user.id, code)
        else:
            right = await state.factors.check_totp(session, tenant, user.id, code)
        if not right:
            return await _refused(request, session, user, {"code": _WRONG if code.strip() else "Enter the code."})
        if is_recovery_code(code):
            left = (await state.factors.of(session, user.id)).recovery_codes
            tell_of_change(request, session, user.email, f"A recovery code was used to sign in; {left} are left.")
        return await after_factor(request, session, user.id, ("pwd", "otp", "mfa"), target_of(request))


async def take_passkey(request: Request) -> Response:
    await request.body()
    state, tenant = request.app.state, request.scope["tenant"]
    async with state.database.tenant_session(tenant) as session:
        user = await find_pending(request, session)
        if user is None:
            return _from_the_start(request)
        form = await read_form(request)
        place = place_of(request, "second-step", user.id)
        try:
            await state.throttle.factor(tenant.id, user.id, address_of(request))
            proof: Proof = await state.passkeys.prove(session, place, form.get("state", ""), form.get("credential", ""))
        except TooManyAttempts as error:
            return await _too_many(request, session, user, error)
        except PasskeyRefused as error:
            return await _refused(request, session, user, {"form": error.detail})
        return await after_factor(request, session, user.id, ("pwd", *proof.amr, "mfa"), target_of(request))


async def sign_in_by_passkey(request: Request) -> Response:
    """Nobody has said who they are: the passkey does."""
    form = await read_form(request)
    state, tenant = request.app.state, request.scope["tenant"]
    place = place_of(request, "sign-in")
    again = partial(with_target, "/signin", target_of(request))
    try:
        await state.throttle.passkey(tenant.id, address_of(request))
        async with state.database.tenant_session(tenant) as session:
            proof = await state.passkeys.prove(session, place, form.get("state", ""), form.get("credential", ""))
            return await after_factor(request, session, proof.user_id, (*proof.amr, "mfa"), target_of(request))
    except TooManyAttempts as error:
        response: Response = error_page(request, error.status, error.title, error.detail)
        response.headers.update(error.headers)
        return response
    except PasskeyRefused:
        return see_other(f"{again()}{'&' if '?' in again() else '?'}notice=passkey")


def _from_the_start(request: Request) -> Response:
    """The time for the second step is over, or it was never begun."""
    return see_other(with_target("/signin", target_of(request)))


async def _too_many(request: Request, session: AsyncSession, user: User, error: TooManyAttempts) -> Response:
    """No event: they would fill the log."""
    response = await _second_step(request, session, user, {"form": error.detail}, error.status)
    response.headers.update(error.headers)
    return response


async def _refused(request: Request, session: AsyncSession, user: User, errors: dict[str, str]) -> Response:
    record(session, "session.refused", actor=Actor("user", str(user.id)), details={"step": "second factor"})
    return await _second_step(request, session, user, errors, 422)


async def _second_step(
    request: Request, session: AsyncSession, user: User, errors: dict[str, str] | None = None, status: int = 200
) -> Response:
    factors = await request.app.state.factors.of(session, user.id)
    if not factors.any:
        return see_other(with_target(ENROL, target_of(request)))
    passkey = await request.app.state.passkeys.ask(session, place_of(request, "second-step", user.id))
    response = render(
        request,
        "identity/second_step.html",
        status,
        scripts=True,
        email=user.email,
        totp=factors.totp,
        passkey=passkey,
        passkey_action=with_target(f"{SECOND_STEP}/passkey", target_of(request)),
        issuer=request.scope["tenant"].issuer if factors.passkeys and passkey is None else None,
        back=with_target("/signin", target_of(request)),
        errors=errors or {},
    )
    return remember_browser(request, response)


routes: Final = [
    page(SECOND_STEP, show_second_step, "GET"),
    page(SECOND_STEP, take_code, "POST"),
    page(f"{SECOND_STEP}/passkey", take_passkey, "POST"),
    page("/signin/passkey", sign_in_by_passkey, "POST"),
]
