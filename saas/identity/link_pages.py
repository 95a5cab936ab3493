"""Pages around links that are sent by mail: to ask for one, and those that they lead to.

Their forms belong to no session: whoever follows a link may be signed in as somebody else, or become so meanwhile.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from starlette.datastructures import State
from starlette.requests import Request
from starlette.responses import Response

from saas.audit.actor import Actor, identify
from saas.audit.service import Target, record
from saas.identity.browser import HOME, address_of, page, see_other
from saas.identity.cookies import clear_cookie
from saas.identity.errors import InvalidEmail, InvalidPersonName, TooManyAttempts, WeakPassword
from saas.identity.links import Linked, Purpose
from saas.identity.mails import password_changed_mail, reset_mail
from saas.identity.password_rules import check_new_password
from saas.identity.passwords import hash_password
from saas.identity.policy import Policy
from saas.identity.service import MAX_EMAIL, MAX_NAME, check_email, check_name, email_key
from saas.identity.signing_in import after_password
from saas.web.csrf import read_form
from saas.web.pages import error_page, render
from tenants.registry import Tenant


async def show_reset_request(request: Request) -> Response:
    return render(request, "identity/reset_request.html", email="", errors={})


async def request_reset(request: Request) -> Response:
    """Everything that depends on whether there is such an account happens after the answer."""
    form = await read_form(request)
    typed = form.get("email", "")[: 2 * MAX_EMAIL].strip()
    state, tenant = request.app.state, request.scope["tenant"]
    try:
        email = check_email(typed)
        await state.throttle.mail(tenant.id, email_key(email), address_of(request))
    except InvalidEmail:
        errors = {"email": "Enter your e-mail address, like ann@example.com."}
        return render(request, "identity/reset_request.html", 422, email=typed, errors=errors)
    except TooManyAttempts as error:
        errors = {"form": error.detail}
        response = render(request, "identity/reset_request.html", error.status, email=typed, errors=errors)
        response.headers.update(error.headers)
        return response
    state.background.start("mail a reset link", partial(send_reset, state, tenant, email_key(email)))
    # The page is the form's own answer: in a redirect the address would stand in the history and the proxies' logs.
    minutes = -(-int(state.links.ttl["reset"].total_seconds()) // 60)
    return render(request, "identity/reset_sent.html", email=email, minutes=minutes)


async def send_reset(state: State, tenant: Tenant, email: str) -> None:
    """To the address that is stored, never to one that was merely typed. Raises MailError."""
    async with state.database.tenant_session(tenant) as session:
        found = await state.users.credentials(session, email)
        if found is None:
            return
        token = await state.links.create(session, found.user_id, "reset")
        record(session, "user.password_link_sent", target=Target("user", found.user_id, found.email))
    await state.mailer.send(reset_mail(tenant, found.email, token, state.links.ttl["reset"]))


async def show_reset(request: Request) -> Response:
    person, policy = await _find(request, "reset")
    return _invalid(request, "reset") if person is None else _reset_page(request, person, policy)


async def reset_password(request: Request) -> Response:
    form = await read_form(request)
    refused = await _throttled(request)
    if refused is not None:
        return refused
    person, policy = await _find(request, "reset")
    if person is None:
        return _invalid(request, "reset")
    new = form.get("new_password", "")
    try:
        await check_new_password(new, policy.password_min, personal=(person.email, person.name))
    except WeakPassword as error:
        return _reset_page(request, person, policy, {"new_password": error.detail})
    password_hash = await hash_password(new)
    state, tenant = request.app.state, request.scope["tenant"]
    async with state.database.tenant_session(tenant) as session:
        person = await state.links.use(session, request.path_params["token"], "reset")
        if person is None:
            return _invalid(request, "reset")
        identify(request.scope, Actor("user", str(person.user_id), person.email))
        if not await state.users.reset_password(session, tenant, person.user_id, password_hash):
            return _invalid(request, "reset")
    message = password_changed_mail(tenant, person.email)
    state.background.start("mail that a password was changed", lambda: state.mailer.send(message))
    response = see_other("/signin?notice=password-reset")
    clear_cookie(response, tenant)
    return response


async def show_invitation(request: Request) -> Response:
    person, policy = await _find(request, "invitation")
    return _invalid(request, "invitation") if person is None else _invitation_page(request, person, policy, person.name)


async def accept_invitation(request: Request) -> Response:
    form = await read_form(request)
    refused = await _throttled(request)
    if refused is not None:
        return refused
    person, policy = await _find(request, "invitation")
    if person is None:
        return _invalid(request, "invitation")
    name, new = form.get("name", "")[: MAX_NAME + 1], form.get("new_password", "")
    errors: dict[str, str] = {}
    try:
        check_name(name)
    except InvalidPersonName as error:
        errors["name"] = error.detail
    try:
        await check_new_password(new, policy.password_min, personal=(person.email, name))
    except WeakPassword as error:
        errors["new_password"] = error.detail
    if errors:
        return _invitation_page(request, person, policy, name, errors)
    return await _join(request, name, await hash_password(new))


async def _join(request: Request, name: str, password_hash: str) -> Response:
    """Into the new person's first session, by way of a second factor where one is required."""
    state, tenant = request.app.state, request.scope["tenant"]
    async with state.database.tenant_session(tenant) as session:
        person = await state.links.use(session, request.path_params["token"], "invitation")
        if person is None:
            return _invalid(request, "invitation")
        identify(request.scope, Actor("user", str(person.user_id), person.email))
        if not await state.users.accept_invitation(session, person.user_id, name, password_hash):
            return _invalid(request, "invitation")
        return await after_password(request, session, person.user_id, password_hash, f"{HOME}?notice=welcome")


async def _find(request: Request, purpose: Purpose) -> tuple[Linked | None, Policy]:
    """Whose link it is, and what the tenant wants of passwords.

    A look does not use the link up: programs that check mail for evil follow every link.
    """
    state = request.app.state
    async with state.database.tenant_session(request.scope["tenant"]) as session:
        person: Linked | None = await state.links.find(session, request.path_params["token"], purpose)
        return person, await state.policies.read(session)


async def _throttled(request: Request) -> Response | None:
    try:
        await request.app.state.throttle.link(request.scope["tenant"].id, address_of(request))
    except TooManyAttempts as error:
        response = error_page(request, error.status, error.title, error.detail)
        response.headers.update(error.headers)
        return response
    return None


def _invalid(request: Request, kind: Purpose) -> Response:
    return render(request, "identity/link_invalid.html", 404, kind=kind)


def _reset_page(request: Request, person: Linked, policy: Policy, errors: Mapping[str, str] | None = None) -> Response:
    return _choose(request, "identity/reset.html", person, policy, errors)


def _invitation_page(
    request: Request, person: Linked, policy: Policy, name: str, errors: Mapping[str, str] | None = None
) -> Response:
    return _choose(request, "identity/invitation.html", person, policy, errors, name=name, invited_by=None)


def _choose(
    request: Request,
    template: str,
    person: Linked,
    policy: Policy,
    errors: Mapping[str, str] | None,
    **more: Any,
) -> Response:
    """A page on which somebody chooses a password."""
    context = {"email": person.email, "min_length": policy.password_min, "errors": errors or {}, **more}
    return render(request, template, 422 if errors else 200, **context)


routes: Final = [
    page("/reset", show_reset_request, "GET"),
    page("/reset", request_reset, "POST"),
    page("/reset/{token}", show_reset, "GET"),
    page("/reset/{token}", reset_password, "POST"),
    page("/invitation/{token}", show_invitation, "GET"),
    page("/invitation/{token}", accept_invitation, "POST"),
]
