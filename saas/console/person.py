"""One of a tenant's people: their roles, how they sign in, where they are signed in, and whether they may."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from starlette.responses import Response

from saas.console.frame import Page, reads, render_console, route, writes
from saas.console.people import HERE
from saas.console.rights import authority_of, grantable, is_sensitive, scopes_for_roles
from saas.identity.devices import describe
from saas.identity.directory import find_person
from saas.identity.errors import BeyondAuthority, InvalidPersonName, LastOwner, UnknownRole, UserNotFound
from saas.identity.roles import scopes_of
from saas.identity.service import MAX_NAME, check_name
from saas.identity.stepup import require_recent

_PATH: Final = f"{HERE}/{{user_id}}"


@reads("users:read")
async def show_person(page: Page) -> Response:
    return await _person_page(page)


@writes("users:write")
async def save(page: Page) -> Response:
    user_id, name, roles = _id(page), page.form.get("name", "")[: MAX_NAME + 1], await page.every("roles")
    person, by, errors = await find_person(page.session, user_id), authority_of(page), {}
    added = {role for role in roles if role not in person.roles}
    held = await page.state.roles.list(page.session)
    if any(role.name in added and is_sensitive(page, role) for role in held):
        late = require_recent(page.request, page.person, form=f"{HERE}/{user_id}")
        if late is not None:
            return late
    try:
        check_name(name)
        await page.state.users.set_roles(page.session, page.tenant, user_id, roles, by=by)
        await page.state.users.rename(page.session, user_id, name, by=by)
    except InvalidPersonName as error:
        errors["name"] = error.detail
    except UnknownRole:
        errors["roles"] = "Choose at least one role."
    except (LastOwner, BeyondAuthority) as error:
        errors["roles"] = f"{error.detail}."
    if errors:
        return await _person_page(page, name=name, roles=roles, errors=errors)
    return page.done(f"{HERE}/{user_id}", f"{check_name(name)} is saved.")


@writes("users:write")
async def disable(page: Page) -> Response:
    user = await page.state.users.disable(page.session, page.tenant, _id(page), by=authority_of(page))
    return _done(page, f"{user.name} is disabled and signed out everywhere.")


@writes("users:write")
async def enable(page: Page) -> Response:
    user = await page.state.users.enable(page.session, page.tenant, _id(page), by=authority_of(page))
    return _done(page, f"{user.name} may sign in again.")


@writes("users:write")
async def end_sessions(page: Page) -> Response:
    """One, where the form names it; else all, but the one that asks."""
    user_id, by, people = _id(page), authority_of(page), page.state.people
    chosen = page.form.get("session")
    if chosen is None:
        keep = page.person.session_id
        await people.end_sessions(page.session, page.tenant, user_id, by=by, keep=keep)
        return _done(page, "All sessions have ended." if user_id != page.person.user_id else "All others have ended.")
    try:
        await people.end_session(page.session, page.tenant, user_id, UUID(chosen), by=by)
    except ValueError:
        return _done(page, "There is no such session.", "info")
    return _done(page, "The session has ended.")


@writes("users:write")
async def reset_factors(page: Page) -> Response:
    user_id = _id(page)
    late = require_recent(page.request, page.person, form=f"{HERE}/{user_id}")
    if late is not None:
        return late
    await page.state.people.reset_factors(page.session, page.tenant, user_id, by=authority_of(page))
    return _done(page, "There is no second factor any more. The person is signed out, and told by mail.")


@writes("users:write")
async def invite_again(page: Page) -> Response:
    user = await page.state.people.invite_again(page.session, page.tenant, _id(page), by=authority_of(page))
    return _done(page, f"{user.email} will find a new link in their mail. The one from before does not work any more.")


@writes("users:write")
async def withdraw(page: Page) -> Response:
    user = await page.state.users.withdraw(page.session, _id(page), by=authority_of(page))
    return page.done(HERE, f"{user.email} is not invited any more.")


async def _person_page(
    page: Page,
    *,
    name: str | None = None,
    roles: list[str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    """`name` and `roles` are what was sent, where it was refused."""
    person, state = await find_person(page.session, _id(page)), page.state
    by = authority_of(page)
    reached = await by.reaches(page.session, person.roles)
    allowed = await scopes_of(page.session, person.roles, state.catalogue)
    held = grantable(page, await state.roles.list(page.session))
    return render_console(
        page,
        "console/person.html",
        422 if errors else 200,
        active="people",
        person_shown=person,
        typed=person.name if name is None else name,
        chosen=list(person.roles) if roles is None else roles,
        roles=held,
        allowed=[scope for scope in scopes_for_roles(page) if scope.name in allowed],
        sessions=[_session(page, found) for found in await state.people.sessions_of(page.session, person.id)],
        # Whether the forms are shown, and why not.
        editable=reached and page.may("users:write"),
        beyond=not reached,
        own=person.id == page.person.user_id,
        here=f"{HERE}/{person.id}",
        errors=errors or {},
    )


def _session(page: Page, found: Any) -> dict[str, Any]:
    return {
        "id": str(found.id),
        "device": describe(found.user_agent),
        "address": found.address,
        "last_seen": found.last_seen_at,
        "current": found.id == page.person.session_id,
    }


def _id(page: Page) -> UUID:
    """Raises UserNotFound."""
    try:
        return UUID(page.request.path_params["user_id"])
    except ValueError as error:
        raise UserNotFound from error


def _done(page: Page, text: str, kind: Any = "good") -> Response:
    return page.done(f"{HERE}/{_id(page)}", text, kind)


routes: Final = [
    route(_PATH, show_person, "GET"),
    route(_PATH, save, "POST"),
    route(f"{_PATH}/disable", disable, "POST"),
    route(f"{_PATH}/enable", enable, "POST"),
    route(f"{_PATH}/end-sessions", end_sessions, "POST"),
    route(f"{_PATH}/reset-factors", reset_factors, "POST"),
    route(f"{_PATH}/resend-invitation", invite_again, "POST"),
    route(f"{_PATH}/withdraw-invitation", withdraw, "POST"),
]
