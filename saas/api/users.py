"""/users"""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from saas.access.guards import require
from saas.api.authority import By
from saas.idempotency.route import KeyedRoute
from saas.identity.accounts import Status
from saas.identity.directory import Person, find_person, list_people
from saas.identity.errors import SessionNotFound
from saas.identity.roles import MEMBER
from saas.identity.service import MAX_EMAIL, MAX_NAME
from saas.identity.sessions import SessionInfo
from saas.web.api import api_router
from saas.web.deps import CursorText, Limit, TenantSession
from saas.web.etags import IfMatch, tag
from saas.web.paging import Page
from saas.web.text import Line

router = api_router("/users", "Users", route_class=KeyedRoute)

_reader: Final = require("users:read")
_writer: Final = require("users:write")
Name = Annotated[Line, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME)]
RoleName = Annotated[Line, StringConstraints(min_length=1, max_length=40)]
Roles = Annotated[list[RoleName], Field(min_length=1, max_length=100)]


class NewUser(BaseModel):
    model_config = ConfigDict(extra="forbid")

    email: Annotated[Line, Field(max_length=MAX_EMAIL, json_schema_extra={"format": "email"})]
    name: Name | None = Field(None, description="Until they choose one: without it, the address before the @")
    roles: Roles = [MEMBER]


class UserChange(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    # The factories make the fields optional without making null a value; what they return is never looked at.
    name: Name = Field(default_factory=str)
    roles: Roles = Field(default_factory=list, description="Exactly these")


class SecondFactors(BaseModel):
    authenticator_app: bool
    passkeys: int


class User(BaseModel):
    id: UUID
    email: str
    name: str
    roles: list[str]
    status: Status = Field(description="`invited` until they have chosen a password")
    second_factors: SecondFactors
    last_signed_in_at: datetime | None = Field(description="As far as sessions are kept")
    created_at: datetime
    updated_at: datetime


class Count(BaseModel):
    count: int


class SessionList(BaseModel):
    items: list[SessionInfo]


@router.get("", summary="List users", dependencies=[_reader])
async def list_users(
    *,
    session: TenantSession,
    limit: Limit = 20,
    cursor: CursorText = None,
    q: Annotated[Line, Query(max_length=200, description="A part of the address or the name, in any case")] = "",
    status: Status | None = None,
    role: Annotated[RoleName | None, Query(description="Who has this role")] = None,
) -> Page[User]:
    """By address."""
    found = await list_people(session, limit=limit, cursor=cursor, query=q, status=status, role=role)
    return Page[User](items=[_view(person) for person in found.items], next_cursor=found.next_cursor)


@router.post("", status_code=201, summary="Invite a user", dependencies=[_writer])
async def invite_user(new: NewUser, session: TenantSession, by: By, request: Request, response: Response) -> User:
    """They are mailed a link with which they choose a password.

    Nobody gives more than they hold: of the sensitive scopes that `roles` allow, the token must have all. Only an owner
    makes owners.
    """
    tenant = request.scope["tenant"]
    made = await request.app.state.people.invite(
        session, tenant, email=new.email, name=new.name or "", roles=new.roles, by=by
    )
    response.headers["Location"] = f"{request.scope['path'].rstrip('/')}/{made.id}"
    return await _answer(session, made.id, response)


@router.get("/{user_id}", summary="Read a user", dependencies=[_reader])
async def read_user(user_id: UUID, session: TenantSession, response: Response) -> User:
    return await _answer(session, user_id, response)


@router.patch("/{user_id}", summary="Change a user", dependencies=[_writer])
async def change_user(
    *,
    user_id: UUID,
    change: UserChange,
    session: TenantSession,
    by: By,
    request: Request,
    response: Response,
    expected: IfMatch,
) -> User:
    """Their name and their roles. Tokens that allow more than the new roles are refused from now on.

    People are changed by those alone who hold all that is sensitive in their roles, before and after; owners by owners.
    """
    users, tenant = request.app.state.users, request.scope["tenant"]
    await users.reached(session, user_id, by)
    if expected:
        expected.check((await find_person(session, user_id)).updated_at)
    if "name" in change.model_fields_set:
        await users.rename(session, user_id, change.name, by=by)
    if "roles" in change.model_fields_set:
        await users.set_roles(session, tenant, user_id, change.roles, by=by)
    return await _answer(session, user_id, response)


@router.delete("/{user_id}", status_code=204, summary="Withdraw an invitation", dependencies=[_writer])
async def withdraw_invitation(user_id: UUID, session: TenantSession, by: By, request: Request) -> None:
    """As if they had not been invited. Who has accepted is not deleted: disable them."""
    await request.app.state.users.withdraw(session, user_id, by=by)


@router.post("/{user_id}/disable", summary="Disable a user", dependencies=[_writer])
async def disable_user(user_id: UUID, session: TenantSession, by: By, request: Request, response: Response) -> User:
    """They are let in no more; their sessions and all tokens that they gave to apps end now."""
    await request.app.state.users.disable(session, request.scope["tenant"], user_id, by=by)
    return await _answer(session, user_id, response)


@router.post("/{user_id}/enable", summary="Enable a user again", dependencies=[_writer])
async def enable_user(user_id: UUID, session: TenantSession, by: By, request: Request, response: Response) -> User:
    await request.app.state.users.enable(session, request.scope["tenant"], user_id, by=by)
    return await _answer(session, user_id, response)


@router.post("/{user_id}/resend-invitation", summary="Send an invitation again", dependencies=[_writer])
async def resend_invitation(
    user_id: UUID, session: TenantSession, by: By, request: Request, response: Response
) -> User:
    """With a new link; those from before do not work any more."""
    await request.app.state.people.invite_again(session, request.scope["tenant"], user_id, by=by)
    return await _answer(session, user_id, response)


@router.post("/{user_id}/reset-factors", summary="Take away all second factors", dependencies=[_writer])
async def reset_factors(user_id: UUID, session: TenantSession, by: By, request: Request) -> Count:
    """For somebody who has lost them: make sure that it is them who ask. They are signed out, and told by mail."""
    tenant = request.scope["tenant"]
    return Count(count=await request.app.state.people.reset_factors(session, tenant, user_id, by=by))


@router.get("/{user_id}/sessions", summary="List a user's sessions", dependencies=[_reader])
async def list_sessions(user_id: UUID, session: TenantSession, request: Request) -> SessionList:
    """The browsers that they are signed in with, the last used first; at most a hundred."""
    return SessionList(items=await request.app.state.people.sessions_of(session, user_id))


@router.post("/{user_id}/end-sessions", summary="End all sessions of a user", dependencies=[_writer])
async def end_sessions(user_id: UUID, session: TenantSession, by: By, request: Request) -> Count:
    """How many there were. What they have given to apps goes on."""
    tenant = request.scope["tenant"]
    return Count(count=await request.app.state.people.end_sessions(session, tenant, user_id, by=by))


@router.delete("/{user_id}/sessions/{session_id}", status_code=204, summary="End a session", dependencies=[_writer])
async def end_session(user_id: UUID, session_id: UUID, session: TenantSession, by: By, request: Request) -> None:
    people = request.app.state.people
    if not await people.end_session(session, request.scope["tenant"], user_id, session_id, by=by):
        raise SessionNotFound("This session has ended, or never was theirs")


async def _answer(session: TenantSession, user_id: UUID, response: Response) -> User:
    person = await find_person(session, user_id)
    # No 304: when somebody was last here is shown, and no change of them.
    tag(response, person.updated_at)
    return _view(person)


def _view(person: Person) -> User:
    """Skips validation: what was checked on its way in needs no second look on its way out."""
    return User.model_construct(
        id=person.id,
        email=person.email,
        name=person.name,
        roles=list(person.roles),
        status=person.status,
        second_factors=SecondFactors.model_construct(authenticator_app=person.totp, passkeys=person.passkeys),
        last_signed_in_at=person.last_signed_in_at,
        created_at=person.created_at,
        updated_at=person.updated_at,
    )
