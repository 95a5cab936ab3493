"""Roles: built-in ones, and the tenant's own as sets of scopes."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from saas.console.frame import CONSOLE, Page, reads, render_console, route, writes
from saas.console.rights import authority_of, scopes_for_roles
from saas.identity.directory import list_people
from saas.identity.errors import BeyondAuthority, InvalidRole, RoleTaken
from saas.identity.roles import Role
from saas.identity.stepup import require_recent

HERE: Final = f"{CONSOLE}/roles"
#: Not below `HERE`, where any name is a role's.
NEW: Final = f"{CONSOLE}/new-role"
_MAX_TEXT: Final = 300
#: Of the people who have a role.
_MOST_SHOWN: Final = 10


@reads("roles:read")
async def show_roles(page: Page) -> Response:
    scopes = scopes_for_roles(page)
    return render_console(
        page,
        "console/roles.html",
        active="roles",
        roles=await page.state.roles.list(page.session),
        scopes={scope.name: scope for scope in scopes},
    )


@reads("roles:read")
async def show_role(page: Page) -> Response:
    return await _role_page(page, page.request.path_params["name"])


@reads("roles:write")
async def show_new(page: Page) -> Response:
    return _new_page(page, Role("", "", ()))


@writes("roles:write")
async def create(page: Page) -> Response:
    role = await _sent(page, page.form.get("name", "")[:_MAX_TEXT].strip())
    try:
        made = await page.state.roles.create(page.session, role, by=authority_of(page))
    except (InvalidRole, RoleTaken, BeyondAuthority) as error:
        return _new_page(page, role, _fault(role, error))
    return page.done(f"{HERE}/{made.name}", f"The role {made.name} is made. Give it to people on their pages.")


@writes("roles:write")
async def save(page: Page) -> Response:
    role = await _sent(page, page.request.path_params["name"])
    try:
        await page.state.roles.change(page.session, page.tenant, role, by=authority_of(page))
    except (InvalidRole, BeyondAuthority) as error:
        return await _role_page(page, role.name, role, _fault(role, error))
    return page.done(f"{HERE}/{role.name}", "The role is saved, and holds for everybody who has it from now on.")


@writes("roles:write")
async def delete(page: Page) -> Response:
    name = page.request.path_params["name"]
    late = require_recent(page.request, page.person, form=f"{HERE}/{name}")
    if late is not None:
        return late
    await page.state.roles.delete(page.session, name, by=authority_of(page))
    return page.done(HERE, f"The role {name} is deleted.")


async def _sent(page: Page, name: str) -> Role:
    """What a form says; scopes in the order of the catalogue."""
    ticked = set(await page.every("scopes"))
    scopes = tuple(scope.name for scope in scopes_for_roles(page) if scope.name in ticked)
    return Role(name, page.form.get("description", "")[:_MAX_TEXT].strip(), scopes)


def _fault(role: Role, error: InvalidRole | RoleTaken | BeyondAuthority) -> dict[str, str]:
    """At the field that it is about."""
    if not role.scopes:
        return {"scopes": "Choose at least one thing that it allows."}
    if isinstance(error, BeyondAuthority):
        return {"scopes": f"{error.detail}."}
    return {"description" if "description" in error.detail else "name": f"{error.detail}."}


def _new_page(page: Page, role: Role, errors: Mapping[str, str] | None = None) -> Response:
    return render_console(
        page,
        "console/new_role.html",
        422 if errors else 200,
        active="roles",
        role=role,
        scopes=scopes_for_roles(page),
        held=page.scopes,
        errors=errors or {},
    )


async def _role_page(
    page: Page, name: str, sent: Role | None = None, errors: Mapping[str, str] | None = None
) -> Response:
    """`sent` is what was typed, where it was refused."""
    role = await page.state.roles.find(page.session, name)
    people = await list_people(page.session, limit=_MOST_SHOWN, role=name) if page.may("users:read") else None
    reached = authority_of(page).covers(role.scopes)
    scopes = scopes_for_roles(page)
    return render_console(
        page,
        "console/role.html",
        422 if errors else 200,
        active="roles",
        role=role,
        description=role.description if sent is None else sent.description,
        chosen=role.scopes if sent is None else sent.scopes,
        scopes=scopes,
        allowed=[scope for scope in scopes if scope.name in role.scopes],
        held=page.scopes,
        people=people.items if people else [],
        editable=reached and not role.builtin and page.may("roles:write"),
        beyond=not reached and not role.builtin,
        errors=errors or {},
    )


routes: Final = [
    route(HERE, show_roles, "GET"),
    route(NEW, show_new, "GET"),
    route(NEW, create, "POST"),
    route(f"{HERE}/{{name}}", show_role, "GET"),
    route(f"{HERE}/{{name}}", save, "POST"),
    route(f"{HERE}/{{name}}/delete", delete, "POST"),
]
