"""The end of what people have granted: all that a person gave, or all that one client got from them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, Result, Table, delete, null, update
from sqlalchemy.ext.asyncio import AsyncSession

from saas.kit.clock import utc_now
from saas.oauth.grants.models import AuthorizationCodeRow, ConsentRow, DeviceCodeRow, RefreshFamilyRow
from saas.oauth.grants.revocations import REVOKE, Revocations
from tenants.registry import Tenant

_consents: Final[Table] = ConsentRow.metadata.tables[ConsentRow.__tablename__]
_families: Final[Table] = RefreshFamilyRow.metadata.tables[RefreshFamilyRow.__tablename__]
_codes: Final[tuple[Table, ...]] = tuple(
    row.metadata.tables[row.__tablename__] for row in (AuthorizationCodeRow, DeviceCodeRow)
)


class Ended(NamedTuple):
    """How many refresh tokens a client had, and how many people's consent."""

    refresh_tokens: int
    consents: int


class Endings:
    """`access_ttl`: seconds that an access token lives. Sessions are the tenant's."""

    def __init__(self, revocations: Revocations, access_ttl: int) -> None:
        self._revocations = revocations
        self._access_ttl = timedelta(seconds=access_ttl)

    async def end_all(self, session: AsyncSession, tenant: Tenant, user_id: UUID) -> None:
        """All tokens that come from a person; what they allowed stays remembered. Fits `identity.hooks.UserHook`."""
        await self._end(session, tenant, lambda table: table.c.user_id == user_id)

    async def disconnect(self, session: AsyncSession, tenant: Tenant, user_id: UUID, client: UUID) -> bool:
        """The tokens that a client has from a person, and their consent; False where it had nothing."""

        def of_both(table: Table) -> ColumnElement[bool]:
            return (table.c.user_id == user_id) & (table.c.client == client)

        forgotten = await session.scalars(delete(_consents).where(of_both(_consents)).returning(_consents.c.client))
        return bool(forgotten.all()) | await self._end(session, tenant, of_both)

    async def end_client(self, session: AsyncSession, client: UUID, *, consents: bool) -> Ended:
        """Codes and refresh tokens of a client, of all people; its access tokens end by its `tokens_since`."""
        for table in _codes:
            await session.execute(delete(table).where(table.c.client == client))
        now = utc_now()
        live = update(_families).where(_families.c.client == client, _families.c.revoked_at.is_(None))
        ended = await session.execute(
            live.values(revoked_at=now, updated_at=now, previous_digest=null(), answer=null())
        )
        forgotten = await session.execute(delete(_consents).where(_consents.c.client == client)) if consents else None
        return Ended(_count(ended), 0 if forgotten is None else _count(forgotten))

    async def _end(self, session: AsyncSession, tenant: Tenant, which: Callable[[Table], ColumnElement[bool]]) -> bool:
        """Whether there was anything.

        Codes first: one that is being redeemed is waited for, so that the family it yields is seen after it.
        """
        now = utc_now()
        grants: set[UUID] = set()
        for table in _codes:
            grants.update(await session.scalars(delete(table).where(which(table)).returning(table.c.grant_id)))
        live = update(_families).where(which(_families), _families.c.revoked_at.is_(None))
        ended = live.values(revoked_at=now, updated_at=now, previous_digest=null(), answer=null())
        grants.update(await session.scalars(ended.returning(_families.c.id)))
        until = now + self._access_ttl
        if grants:
            await session.execute(REVOKE, [{"revoked": str(grant_id), "until": until} for grant_id in grants])
        for grant_id in grants:
            self._revocations.tell_after_commit(session, tenant.id, str(grant_id), until)
        return bool(grants)


def _count(result: Result[Any]) -> int:
    changed: CursorResult[Any] = result  # type: ignore[assignment]  # what DML yields
    return changed.rowcount
