"""The roles of a tenant: built-in ones, and its own as sets of scopes. Transactions are the tenant's."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Table, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from saas.audit.service import Target, record
from saas.identity.authority import Authority
from saas.identity.directory import count_holders
from saas.identity.errors import RoleNotFound
from saas.identity.hooks import Hooks
from saas.identity.models import RoleRow
from saas.identity.roles import (
    BUILTIN,
    IDENTITY_SCOPES,
    CatalogueScope,
    Role,
    check_role,
    create_role,
    delete_role,
    list_roles,
    scopes_given,
)
from saas.kit.clock import utc_now
from tenants.registry import Tenant

_roles: Final[Table] = RoleRow.metadata.tables[RoleRow.__tablename__]


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role, and how many people have it. `scopes` in the order of the catalogue."""

    name: str
    description: str
    scopes: tuple[str, ...]
    builtin: bool
    holders: int


class RoleService:
    def __init__(self, catalogue: Iterable[CatalogueScope], hooks: Hooks) -> None:
        self._catalogue = catalogue
        self._hooks = hooks

    async def list(self, session: AsyncSession) -> list[HeldRole]:
        """Built-in ones first, then the tenant's own by name. Two SELECTs."""
        own = await list_roles(session)
        counts = await count_holders(session, [*BUILTIN, *(role.name for role in own)])
        return [
            *(self._builtin(name, counts[name]) for name in BUILTIN),
            *(self._held(role, counts[role.name]) for role in own),
        ]

    async def find(self, session: AsyncSession, name: str, *, lock: bool = False) -> HeldRole:
        """Raises RoleNotFound."""
        if name in BUILTIN:
            return self._builtin(name, (await count_holders(session, [name]))[name])
        role = await self._own(session, name, lock=lock)
        return self._held(role, (await count_holders(session, [name]))[name])

    async def create(self, session: AsyncSession, role: Role, *, by: Authority | None) -> HeldRole:
        """Raises InvalidRole, RoleTaken and BeyondAuthority."""
        if by is not None:
            by.check_role(role.scopes)
        await create_role(session, role, self._catalogue)
        return await self.find(session, role.name)

    async def change(self, session: AsyncSession, tenant: Tenant, role: Role, *, by: Authority | None) -> HeldRole:
        """The role of this name has this description, and these scopes, from now on.

        What its holders may not do any more ends at once (see `Hooks.role_changed`). Raises RoleNotFound, InvalidRole
        and BeyondAuthority.
        """
        check_role(role, self._catalogue)
        before = await self._own(session, role.name, lock=True)
        if by is not None:
            by.check_role({*before.scopes, *role.scopes})
        if before.description != role.description or {*before.scopes} != {*role.scopes}:
            values = {"description": role.description, "scopes": list(role.scopes), "updated_at": utc_now()}
            await session.execute(update(_roles).where(_roles.c.name == role.name).values(values))
            details = {"from": before.scopes, "to": role.scopes}
            record(session, "role.changed", target=Target("role", role.name, role.name), details=details)
        if not set(before.scopes) <= set(role.scopes):
            for hook in self._hooks.role_changed:
                await hook(session, tenant, role.name)
        return await self.find(session, role.name)

    async def delete(self, session: AsyncSession, name: str, *, by: Authority | None) -> None:
        """Raises RoleNotFound, BeyondAuthority, and RoleInUse while somebody has it."""
        role = await self._own(session, name, lock=True)
        if by is not None:
            by.check_role(role.scopes)
        await delete_role(session, name)

    def _builtin(self, name: str, holders: int) -> HeldRole:
        scopes = scopes_given([name], (), self._catalogue) - IDENTITY_SCOPES
        return HeldRole(name, BUILTIN[name], self._ordered(scopes), True, holders)

    def _held(self, role: Role, holders: int) -> HeldRole:
        return HeldRole(role.name, role.description, self._ordered(role.scopes), False, holders)

    def _ordered(self, scopes: Collection[str]) -> tuple[str, ...]:
        return tuple(scope.name for scope in self._catalogue if scope.name in scopes)

    async def _own(self, session: AsyncSession, name: str, *, lock: bool = False) -> Role:
        """A locked one is given to nobody until the transaction ends. Raises RoleNotFound."""
        query = select(_roles.c.description, _roles.c.scopes).where(_roles.c.name == name)
        row = (await session.execute(query.with_for_update() if lock else query)).one_or_none()
        if row is None:
            builtin = f"{name} is built in: make a role of your own" if name in BUILTIN else ""
            raise RoleNotFound(builtin or f"There is no role {name} here")
        return Role(name, row.description, tuple(row.scopes))
