"""Where a person sees and changes how they sign in: their authenticator app, passkeys, recovery codes."""

from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from saas.identity.browser import HOME, Form, address_of, by_person, find_person, page, see_other, to_sign_in
from saas.identity.devices import describe
from saas.identity.enrolment import WRONG_CODE, add_passkey, add_totp, codes_page, first_codes, totp_page
from saas.identity.errors import FactorRequired, PasskeyRefused, TooManyAttempts
from saas.identity.notices import tell_of_change
from saas.identity.passkeys import MAX_NAME
from saas.identity.places import place_of, remember_browser
from saas.identity.signed_in import SignedIn
from saas.identity.stepup import require_recent
from saas.web.pages import render

SECURITY: Final = f"{HOME}/security"
_TOTP: Final = f"{SECURITY}/totp"
_PASSKEYS: Final = f"{SECURITY}/passkeys"
_NOTICES: Final = {
    "totp": "Your authenticator app is added. You will be asked for its code when you sign in.",
    "totp-removed": "Your authenticator app is removed.",
    "passkey": "Your passkey is added.",
    "passkey-renamed": "The passkey has its new name.",
    "passkey-removed": "The passkey is removed.",
}


async def show_security(request: Request) -> Response:
    async with request.app.state.database.tenant_session(request.scope["tenant"]) as session:
        person = await find_person(request, session)
        if person is None:
            return to_sign_in(SECURITY)
        return await _security(request, session, person)


async def show_totp(request: Request) -> Response:
    async with request.app.state.database.tenant_session(request.scope["tenant"]) as session:
        person = await find_person(request, session)
        if person is None:
            return to_sign_in(_TOTP)
        if (late := require_recent(request, person)) is not None:
            return late
        if (await request.app.state.factors.of(session, person.user_id)).totp:
            return see_other(SECURITY)
        return _totp_page(request, person)


@by_person
async def enrol_totp(request: Request, session: AsyncSession, person: SignedIn, form: Form) -> Response:
    if (late := require_recent(request, person, form=_TOTP)) is not None:
        return late
    try:
        await request.app.state.throttle.factor(request.scope["tenant"].id, person.user_id, address_of(request))
    except TooManyAttempts as error:
        return _totp_page(request, person, form.get("secret", ""), {"form": error.detail})
    if not await add_totp(request, session, person.user_id, person.email, form):
        return _totp_page(request, person, form.get("secret", ""), {"code": WRONG_CODE})
    return await _added(request, session, person, "totp")


@by_person
async def remove_totp(request: Request, session: AsyncSession, person: SignedIn, _: Form) -> Response:
    if (late := require_recent(request, person, form=SECURITY)) is not None:
        return late
    try:
        removed = await request.app.state.factors.remove_totp(session, person.user_id)
    except FactorRequired as error:
        return await _security(request, session, person, {"form": error.detail})
    if removed:
        tell_of_change(request, session, person.email, "The authenticator app was removed.")
    return _done("totp-removed")


@by_person
async def make_codes(request: Request, session: AsyncSession, person: SignedIn, _: Form) -> Response:
    if (late := require_recent(request, person, form=SECURITY)) is not None:
        return late
    factors = request.app.state.factors
    if not (await factors.of(session, person.user_id)).any:
        return see_other(SECURITY)
    codes = await factors.new_recovery_codes(session, person.user_id)
    tell_of_change(request, session, person.email, "New recovery codes were made; the old ones do not work any more.")
    return codes_page(request, person.email, codes, SECURITY)


async def show_passkey(request: Request) -> Response:
    async with request.app.state.database.tenant_session(request.scope["tenant"]) as session:
        person = await find_person(request, session)
        if person is None:
            return to_sign_in(_PASSKEYS)
        if (late := require_recent(request, person)) is not None:
            return late
        return await _passkey_page(request, session, person)


@by_person
async def enrol_passkey(request: Request, session: AsyncSession, person: SignedIn, form: Form) -> Response:
    if (late := require_recent(request, person, form=_PASSKEYS)) is not None:
        return late
    try:
        await add_passkey(request, session, person.user_id, person.email, form)
    except PasskeyRefused as error:
        return await _passkey_page(request, session, person, form.get("name", "")[:MAX_NAME], {"form": error.detail})
    return await _added(request, session, person, "passkey")


@by_person
async def rename_passkey(request: Request, session: AsyncSession, person: SignedIn, form: Form) -> Response:
    passkey_id = _uuid(form.get("passkey", ""))
    if passkey_id is None:
        return see_other(SECURITY)
    passkeys, name = request.app.state.passkeys, form.get("name", "")
    renamed = await passkeys.rename(session, person.user_id, passkey_id, name)
    return _done("passkey-renamed") if renamed else see_other(SECURITY)


@by_person
async def remove_passkey(request: Request, session: AsyncSession, person: SignedIn, form: Form) -> Response:
    if (late := require_recent(request, person, form=SECURITY)) is not None:
        return late
    state, passkey_id = request.app.state, _uuid(form.get("passkey", ""))
    if passkey_id is None:
        return see_other(SECURITY)
    try:
        await state.factors.check_not_last(session, person.user_id)
    except FactorRequired as error:
        return await _security(request, session, person, {"form": error.detail})
    name = await state.passkeys.remove(session, person.user_id, passkey_id)
    if name is None:
        return see_other(SECURITY)
    await state.factors.drop_idle_codes(session, person.user_id)
    tell_of_change(request, session, person.email, f"The passkey “{name}” was removed.")
    return _done("passkey-removed")


async def _added(request: Request, session: AsyncSession, person: SignedIn, notice: str) -> Response:
    """With the first factor come recovery codes."""
    codes = await first_codes(request, session, person.user_id)
    return codes_page(request, person.email, codes, SECURITY, _NOTICES[notice]) if codes else _done(notice)


def _totp_page(request: Request, person: SignedIn, sealed: str = "", errors: dict[str, str] | None = None) -> Response:
    context = {"required": False, "passkey": None, "passkey_action": "", "back": SECURITY}
    return totp_page(request, person.user_id, person.email, sealed=sealed, errors=errors, **context)


async def _passkey_page(
    request: Request,
    session: AsyncSession,
    person: SignedIn,
    name: str = "",
    errors: dict[str, str] | None = None,
) -> Response:
    place = place_of(request, "create", person.user_id)
    passkey = await request.app.state.passkeys.ask_to_create(session, place, person.email, person.name)
    name = name or describe(request.headers.get("user-agent", ""))
    context = {"passkey": passkey, "name": name, "back": SECURITY, "errors": errors or {}}
    response = render(request, "identity/passkey.html", 422 if errors else 200, scripts=True, **context)
    return remember_browser(request, response)


async def _security(
    request: Request, session: AsyncSession, person: SignedIn, errors: dict[str, str] | None = None
) -> Response:
    state = request.app.state
    return render(
        request,
        "identity/security.html",
        409 if errors else 200,
        user=person,
        factors=await state.factors.of(session, person.user_id),
        passkeys=await state.passkeys.list(session, person.user_id),
        notice=_NOTICES.get(request.query_params.get("notice", "")),
        errors=errors or {},
    )


def _done(notice: str) -> Response:
    return see_other(f"{SECURITY}?notice={notice}")


def _uuid(value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        return None


routes: Final = [
    page(SECURITY, show_security, "GET"),
    page(_TOTP, show_totp, "GET"),
    page(_TOTP, enrol_totp, "POST"),
    page(f"{_TOTP}/remove", remove_totp, "POST"),
    page(f"{SECURITY}/codes", make_codes, "POST"),
    page(_PASSKEYS, show_passkey, "GET"),
    page(_PASSKEYS, enrol_passkey, "POST"),
    page(f"{_PASSKEYS}/rename", rename_passkey, "POST"),
    page(f"{_PASSKEYS}/remove", remove_passkey, "POST"),
]
