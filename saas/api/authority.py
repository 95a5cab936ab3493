"""How far the rights of a token reach over people and roles: see `saas.identity.authority`."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from saas.access.caller import Caller
from saas.access.scopes import ScopeCatalogue
from saas.identity.authority import Authority
from saas.identity.errors import UserNotFound
from saas.identity.roles import OWNER, scopes_of
from saas.web.deps import TenantSession


async def _authority(request: Request, session: TenantSession) -> Authority:
    """Of a program: its token's scopes, and no owner's. Of a person: what both the token and their roles allow."""
    caller: Caller = request.scope["caller"]
    catalogue: ScopeCatalogue = request.app.state.catalogue
    roles = await _roles_of(request, session, caller)
    if roles is None:
        return Authority(caller.scopes, owner=False, catalogue=catalogue)
    scopes = caller.scopes & await scopes_of(session, roles, catalogue)
    return Authority(scopes, owner=OWNER in roles, catalogue=catalogue, user_id=UUID(caller.subject))


async def _roles_of(request: Request, session: AsyncSession, caller: Caller) -> tuple[str, ...] | None:
    """None where no person is behind the token."""
    if caller.subject == caller.client_id:
        return None
    try:
        user = await request.app.state.users.find(session, UUID(caller.subject))
    except (ValueError, UserNotFound):
        return ()
    roles: tuple[str, ...] = () if user.disabled_at else user.roles
    return roles


#: On a route that has checked the token's scope.
By = Annotated[Authority, Depends(_authority, scope="function")]
