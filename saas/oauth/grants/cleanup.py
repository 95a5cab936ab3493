"""Deletes what is past its end. Nothing is waited for: rows that others have locked are left to the next time."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Table, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from saas.kit.clock import Clock, utc_now
from saas.oauth.grants.models import (
    AssertionRow,
    AuthorizationCodeRow,
    ConsentRow,
    DeviceCodeRow,
    PushedRequestRow,
    RefreshFamilyRow,
    RevocationRow,
)
from saas.oauth.models import ClientRow
from saas.settings import TokensSettings
from tenants.base import TenantBase
from tenants.purge import purge_rows

Condition = Callable[[datetime], ColumnElement[bool]]


def _table(row: type[TenantBase]) -> Table:
    return row.metadata.tables[row.__tablename__]


_clients: Final = _table(ClientRow)
_consents: Final = _table(ConsentRow)
_families: Final = _table(RefreshFamilyRow)


class Cleanup:
    def __init__(self, tokens: TokensSettings, clock: Clock = utc_now) -> None:
        self._clock = clock
        access, idle = timedelta(seconds=tokens.access_ttl), timedelta(seconds=tokens.refresh_idle)
        #: Codes name the grants whose access tokens may still live: they stay as long as these.
        self._conditions: dict[Table, Condition] = {
            _table(AuthorizationCodeRow): _expired(_table(AuthorizationCodeRow), access),
            _table(DeviceCodeRow): _expired(_table(DeviceCodeRow), access),
            _table(PushedRequestRow): _expired(_table(PushedRequestRow)),
            _table(RevocationRow): _expired(_table(RevocationRow)),
            _table(AssertionRow): _expired(_table(AssertionRow)),
            _families: lambda now: or_(
                _families.c.expires_at < now,
                _families.c.last_used_at < now - idle,
                _families.c.revoked_at < now - access,
            ),
            _consents: lambda _: _consents.c.client.in_(
                select(_clients.c.id).where(_clients.c.revoked_at.is_not(None))
            ),
        }

    async def purge(self, session: AsyncSession, limit: int = 1000) -> int:
        """Delete at most `limit` rows of each kind, in a transaction of the tenant; how many in all.

        Fewer than `limit` means that nothing is left, but for what others are deleting.
        """
        now = self._clock()
        return sum([await purge_rows(session, table, due(now), limit) for table, due in self._conditions.items()])


def _expired(table: Table, grace: timedelta = timedelta(0)) -> Condition:
    return lambda now: table.c.expires_at < now - grace
