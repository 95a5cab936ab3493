"""What happens to tokens when roles allow less: access tokens that say more are refused at once, refresh tokens go on.

A grant whose scopes its person may no longer give in full goes on under a new id (the `gid` of its access tokens), and
the old id is revoked. What is asked for next, by refresh token or by a code that is still to be redeemed, is held to
the new roles as it always is. A refresh whose answer was lost at that very moment cannot be repeated.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, Text, any_, bindparam, cast, literal, null, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from saas.identity.models import UserRow
from saas.identity.roles import CatalogueScope, scopes_of
from saas.kit.clock import utc_now
from saas.oauth.grants.models import AuthorizationCodeRow, DeviceCodeRow, RefreshFamilyRow
from saas.oauth.grants.revocations import REVOKE, Revocations
from tenants.base import new_id
from tenants.registry import Tenant

_users: Final[Table] = UserRow.metadata.tables[UserRow.__tablename__]
_codes: Final[Table] = AuthorizationCodeRow.metadata.tables[AuthorizationCodeRow.__tablename__]
_devices: Final[Table] = DeviceCodeRow.metadata.tables[DeviceCodeRow.__tablename__]
_families: Final[Table] = RefreshFamilyRow.metadata.tables[RefreshFamilyRow.__tablename__]
#: Each with the column that names the grant, and those of its rows that have yielded tokens. Codes first: one that is
#: being redeemed is waited for, so that the family it yields is seen after it.
_GRANTS: Final[tuple[tuple[Table, ColumnElement[UUID], ColumnElement[bool]], ...]] = (
    (_codes, _codes.c.grant_id, _codes.c.redeemed_at.is_not(None)),
    (_devices, _devices.c.grant_id, _devices.c.status == "redeemed"),
    (_families, _families.c.id, _families.c.revoked_at.is_(None)),
)
_RENAME: Final = (
    update(_families)
    .where(_families.c.id == bindparam("old"))
    .values(id=bindparam("new"), updated_at=bindparam("now"), previous_digest=null(), answer=null())
)
_RENAME_CODES: Final = tuple(
    update(table).where(table.c.grant_id == bindparam("old")).values(grant_id=bindparam("new"))
    for table in (_codes, _devices)
)


class Narrowing:
    """`access_ttl`: seconds that an access token lives. Sessions are the tenant's."""

    def __init__(self, catalogue: Iterable[CatalogueScope], revocations: Revocations, access_ttl: int) -> None:
        self._catalogue = catalogue
        self._revocations = revocations
        self._access_ttl = timedelta(seconds=access_ttl)

    async def follow_user(self, session: AsyncSession, tenant: Tenant, user_id: UUID) -> None:
        """Fits `identity.hooks.UserHook`."""
        await self._follow(session, tenant, _users.c.id == user_id)

    async def follow_role(self, session: AsyncSession, tenant: Tenant, role: str) -> None:
        """Fits `identity.hooks.RoleHook`."""
        await self._follow(session, tenant, literal(role) == any_(_users.c.roles))

    async def _follow(self, session: AsyncSession, tenant: Tenant, who: ColumnElement[bool]) -> None:
        """Of people who have the same roles, all at once."""
        wider: set[UUID] = set()
        for roles in (await session.scalars(select(_users.c.roles).where(who).distinct())).all():
            allowed = await scopes_of(session, roles, self._catalogue)
            people = select(_users.c.id).where(who, _users.c.roles == roles)
            wider |= await _wider(session, people, allowed)
        if wider:
            await self._replace(session, tenant, wider, utc_now())

    async def _replace(self, session: AsyncSession, tenant: Tenant, grants: Collection[UUID], now: datetime) -> None:
        until = now + self._access_ttl
        renamed = [{"old": old, "new": new_id(), "now": now} for old in grants]
        for statement in (_RENAME, *_RENAME_CODES):
            names = {"old", "new", "now"} if statement is _RENAME else {"old", "new"}
            await session.execute(statement, [{name: row[name] for name in names} for row in renamed])
        await session.execute(REVOKE, [{"revoked": str(old), "until": until} for old in grants])
        for old in grants:
            self._revocations.tell_after_commit(session, tenant.id, str(old), until)


async def _wider(session: AsyncSession, people: Select[tuple[UUID]], allowed: Collection[str]) -> set[UUID]:
    """Grants of these people that have yielded tokens, with more scopes than are allowed. Locked."""
    found: set[UUID] = set()
    held = cast(sorted(allowed), ARRAY(Text()))
    for table, grant, live in _GRANTS:
        query = select(grant, live, table.c.scopes.contained_by(held)).where(table.c.user_id.in_(people))
        # All are locked: one that is being redeemed counts as soon as it is.
        for grant_id, yielded, within in await session.execute(query.with_for_update(of=table)):
            if yielded and not within:
                found.add(grant_id)
    return found
