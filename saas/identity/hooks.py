"""What others do when sessions end or rights change: in the same transaction, so that all of it happens or nothing.

Whatever lies outside the database (a revocation in Valkey, say) a hook names with `tenants.changes.after_commit`.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from tenants.registry import Tenant


class EndedSession(NamedTuple):
    session_id: UUID
    user_id: UUID


SessionsHook = Callable[[AsyncSession, Tenant, Sequence[EndedSession]], Awaitable[None]]
UserHook = Callable[[AsyncSession, Tenant, UUID], Awaitable[None]]
#: The last is the name of a role.
RoleHook = Callable[[AsyncSession, Tenant, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Hooks:
    """Append to these when the application is put together; each is called in its order, at least once a change.

    The session is the tenant's; what a hook raises undoes the change itself.
    """

    #: Never called with nothing. Sessions that merely ran out are not told of.
    sessions_ended: list[SessionsHook] = field(default_factory=list)
    #: After the user's sessions have ended.
    user_disabled: list[UserHook] = field(default_factory=list)
    user_roles_changed: list[UserHook] = field(default_factory=list)
    #: A role of the tenant's own allows less than before; whoever has it may do less.
    role_changed: list[RoleHook] = field(default_factory=list)
    #: Somebody proved by mail, or an operator vouched, that the account is theirs: what was granted before may be an
    #: intruder's. Not called when a person who knows the password changes it.
    password_reset: list[UserHook] = field(default_factory=list)


async def tell_user(hooks: Sequence[UserHook], session: AsyncSession, tenant: Tenant, user_id: UUID) -> None:
    for hook in hooks:
        await hook(session, tenant, user_id)
