"""/roles"""

from typing import Annotated, Final

from fastapi import Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from saas.access.guards import require
from saas.api.authority import By
from saas.idempotency.route import KeyedRoute
from saas.identity.role_service import HeldRole
from saas.identity.roles import Role
from saas.web.api import api_router
from saas.web.deps import TenantSession
from saas.web.etags import IfMatch, tag
from saas.web.text import Line

router = api_router("/roles", "Roles", route_class=KeyedRoute)

_reader: Final = require("roles:read")
_writer: Final = require("roles:write")
Name = Annotated[Line, Field(max_length=40, description="Lower-case letters, digits and hyphens, a letter first")]
Named = Annotated[Line, Path(max_length=40)]
Scopes = Annotated[list[Annotated[Line, Field(max_length=100)]], Field(min_length=1, max_length=200)]


class RoleChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    description: Annotated[Line, Field(max_length=200)] = ""
    scopes: Scopes


class NewRole(RoleChange):
    name: Name


class RoleView(BaseModel):
    name: str
    description: str
    scopes: list[str]
    builtin: bool = Field(description="Built-in roles cannot be changed")
    holders: int = Field(description="How many people have it: `GET /users?role=` lists them")


class RoleList(BaseModel):
    items: list[RoleView]


@router.get("", summary="List roles", dependencies=[_reader])
async def list_roles(session: TenantSession, request: Request) -> RoleList:
    """Built-in ones first; of its own a tenant has at most a hundred. `GET /scopes` says what each scope allows."""
    return RoleList(items=[_view(role) for role in await request.app.state.roles.list(session)])


@router.post("", status_code=201, summary="Create a role", dependencies=[_writer])
async def create_role(new: NewRole, session: TenantSession, by: By, request: Request, response: Response) -> RoleView:
    """Nobody makes a role that allows more than they may: the token must have all of its sensitive scopes."""
    role = Role(new.name, new.description, tuple(dict.fromkeys(new.scopes)))
    made = await request.app.state.roles.create(session, role, by=by)
    response.headers["Location"] = f"{request.scope['path'].rstrip('/')}/{made.name}"
    return _answer(made, response)


@router.get("/{name}", summary="Read a role", dependencies=[_reader])
async def read_role(name: Named, session: TenantSession, request: Request, response: Response) -> RoleView:
    return _answer(await request.app.state.roles.find(session, name), response)


@router.put("/{name}", summary="Change a role", dependencies=[_writer])
async def change_role(
    *,
    name: Named,
    change: RoleChange,
    session: TenantSession,
    by: By,
    request: Request,
    response: Response,
    expected: IfMatch,
) -> RoleView:
    """Whoever has the role may do this from now on. Tokens that allow more are refused at once."""
    roles, tenant = request.app.state.roles, request.scope["tenant"]
    if expected:
        expected.check(_version(await roles.find(session, name, lock=True)))
    role = Role(name, change.description, tuple(dict.fromkeys(change.scopes)))
    return _answer(await roles.change(session, tenant, role, by=by), response)


@router.delete("/{name}", status_code=204, summary="Delete a role", dependencies=[_writer])
async def delete_role(*, name: Named, session: TenantSession, by: By, expected: IfMatch, request: Request) -> None:
    """409 while somebody has it."""
    roles = request.app.state.roles
    if expected:
        expected.check(_version(await roles.find(session, name, lock=True)))
    await roles.delete(session, name, by=by)


def _answer(role: HeldRole, response: Response) -> RoleView:
    # No 304: how many people have it is shown, and no change of it.
    tag(response, _version(role))
    return _view(role)


def _version(role: HeldRole) -> RoleChange:
    return RoleChange.model_construct(description=role.description, scopes=list(role.scopes))


def _view(role: HeldRole) -> RoleView:
    return RoleView(
        name=role.name,
        description=role.description,
        scopes=list(role.scopes),
        builtin=role.builtin,
        holders=role.holders,
    )
