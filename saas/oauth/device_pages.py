"""Where a person lets a device in (RFC 8628 section 3.3): they type its code, see what it wants, and decide.

The code is all that ties the page to the device, so guesses are counted. Nobody is let in unseen: an address that has
the code in it leads to the question too, and so do first-party clients, since whoever sends such an address to somebody
else would be let in as them (section 5.4).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from saas.audit.actor import Actor, identify
from saas.audit.service import Target, record
from saas.authserver.device import canonical, shown
from saas.identity.browser import address_of, page, see_other
from saas.identity.cookies import read_cookie
from saas.identity.errors import TooManyAttempts
from saas.identity.signed_in import SignedIn
from saas.kit.clock import utc_now
from saas.oauth.grants.consents import remember
from saas.oauth.grants.devices import PERSON_BY_COOKIE, PendingDevice, decide, find_pending
from saas.oauth.grants.transaction import scopes_of
from saas.web.csrf import read_form
from saas.web.pages import render
from tenants.direct import Direct

PATH: Final = "/device"
#: Fields of the forms: the code, what the person decided, and which scopes they saw.
_CODE: Final = "user_code"
_DECISION: Final = "decision"
_SHOWN: Final = "scopes"
_UNKNOWN: Final = "This code is not right, or has expired. Compare it with your device, or start there again."
_NOTHING: Final = "Your account does not have any of the access that this app asks for."


@dataclass(frozen=True, slots=True)
class _Visit:
    """Of a person who is signed in, in a transaction."""

    request: Request
    direct: Direct
    person: SignedIn
    now: datetime


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a device asks for."""

    device: PendingDevice
    #: Those that the person's roles give, too.
    scopes: tuple[str, ...]


class _Refused(Exception):
    """There is nothing to decide; the person may enter another code."""

    def __init__(self, typed: str, errors: dict[str, str], status: int = 422, headers: dict[str, str] | None = None):
        super().__init__(status)
        self.typed, self.errors, self.status, self.headers = typed, errors, status, headers or {}


async def show(request: Request) -> Response:
    """The question; without a code in the address, the field to enter one."""
    typed = request.query_params.get(_CODE, "")

    async def proceed(visit: _Visit) -> Response:
        return await _question(visit, typed) if typed else _entry(request, "")

    return await _with_person(request, proceed)


async def submit(request: Request) -> Response:
    """A code that was typed, or a decision."""
    await request.body()  # before a connection is taken: a slow sender holds none

    async def proceed(visit: _Visit) -> Response:
        form = await read_form(request)
        return await _decision(visit, form) if _DECISION in form else await _question(visit, form.get(_CODE, ""))

    return await _with_person(request, proceed)


async def _with_person(request: Request, proceed: Callable[[_Visit], Awaitable[Response]]) -> Response:
    """Proceed in one transaction, unless the person has to sign in first."""
    state, tenant = request.app.state, request.scope["tenant"]
    async with state.database.direct(tenant) as direct:
        person, _ = await state.sessions.look_up(direct, read_cookie(request), PERSON_BY_COOKIE)
        if person is None:
            return see_other(_sign_in_url(request.query_params.get(_CODE, "")))
        request.scope["session_id"] = str(person.session_id)  # forms belong to it
        identify(request.scope, Actor("user", str(person.user_id), person.email))
        try:
            return await proceed(_Visit(request, direct, person, utc_now()))
        except _Refused as refused:
            return _entry(request, refused.typed, refused.status, refused.errors, refused.headers)


async def _find(visit: _Visit, typed: str) -> _Wish:
    """Raises _Refused."""
    if not typed.strip():
        raise _Refused("", {_CODE: "Enter the code that your device shows."})
    user_code = canonical(typed)
    if user_code is None:
        raise _Refused(typed, {_CODE: _UNKNOWN})
    state, tenant = visit.request.app.state, visit.request.scope["tenant"]
    try:
        await state.throttle.device(tenant.id, visit.person.user_id, address_of(visit.request))
    except TooManyAttempts as error:
        raise _Refused(typed, {"form": error.detail}, error.status, error.headers) from error
    device = await find_pending(visit.direct, user_code, visit.person, visit.now)
    if device is None:
        raise _Refused(typed, {_CODE: _UNKNOWN})
    given = await scopes_of(visit.direct, visit.person.roles, state.catalogue)
    scopes = tuple(scope for scope in device.scopes if scope in given)
    if not scopes:
        raise _Refused(typed, {"form": _NOTHING})
    return _Wish(device, scopes)


async def _question(visit: _Visit, typed: str) -> Response:
    wish = await _find(visit, typed)
    user_code = shown(wish.device.user_code)
    return render(
        visit.request,
        "oauth/device_confirm.html",
        app_name=wish.device.app_name,
        user_code=user_code,
        user={"name": visit.person.name, "email": visit.person.email},
        switch_url=_sign_in_url(user_code),
        scopes=[scope for scope in visit.request.app.state.catalogue if scope.name in wish.scopes],
        hidden={_CODE: user_code, _SHOWN: " ".join(wish.scopes)},
    )


async def _decision(visit: _Visit, form: Mapping[str, str]) -> Response:
    """Whoever sent the form, only what the page showed is granted: roles may have grown since."""
    wish = await _find(visit, form.get(_CODE, ""))
    saw = form.get(_SHOWN, "").split(" ")
    allowed = [scope for scope in wish.scopes if scope in saw] if form[_DECISION] == "allow" else []
    await decide(visit.direct, wish.device, visit.person, allowed)
    target = Target("client", wish.device.client_id, wish.device.app_name)
    action = "device.approved" if allowed else "device.denied"
    record(visit.direct, action, target=target, details={"scopes": allowed or wish.scopes})
    if allowed:
        both = wish.device.remembered.union(allowed)
        await remember(visit.direct, visit.person.user_id, wish.device.client, both, visit.now)
    return render(visit.request, "oauth/device_done.html", app_name=wish.device.app_name, allowed=bool(allowed))


def _entry(
    request: Request,
    typed: str,
    status: int = 200,
    errors: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    response = render(request, "oauth/device.html", status, user_code=typed[:20], errors=errors or {})
    response.headers.update(headers or {})
    return response


def _sign_in_url(typed: str) -> str:
    user_code = canonical(typed)
    target = f"{PATH}?{urlencode({_CODE: shown(user_code)})}" if user_code else PATH
    return f"/signin?{urlencode({'return_to': target})}"


routes: Final = [page(PATH, show, "GET"), page(PATH, submit, "POST")]
