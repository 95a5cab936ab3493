"""Access tokens that are refused before they expire: by their `jti`, or all of a grant by its `gid`.

What lasts is a row; what every request looks at is a key in Valkey, written once the row is committed.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from redis.exceptions import RedisError
from sqlalchemy import Table, Text, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert

from saas.kit.clock import utc_now
from saas.oauth.grants.models import RevocationRow
from tenants.changes import HasInfo, after_commit
from tenants.database import Database, HasSchema
from tenants.statements import Statement

log = structlog.get_logger(__name__)

_rows: Final[Table] = RevocationRow.metadata.tables[RevocationRow.__tablename__]


def _upsert() -> Insert:
    statement = insert(_rows).values(id=bindparam("revoked"), expires_at=bindparam("until"))
    later = func.greatest(_rows.c.expires_at, statement.excluded.expires_at)
    return statement.on_conflict_do_update(index_elements=[_rows.c.id], set_={"expires_at": later})


#: Parameters: `revoked` (a `jti` or `gid`), `until` (when the last token that it concerns expires by itself).
REVOKE: Final = _upsert()
#: One of `ids`, if one is revoked.
REVOKED: Final = Statement(select(_rows.c.id).where(_rows.c.id == any_(bindparam("ids", type_=ARRAY(Text())))).limit(1))


#: Of a tenant with more revocations than this, those that end first are left out.
_MOST: Final = 10_000
_UNTIL: Final = select(_rows.c.id, _rows.c.expires_at).order_by(_rows.c.expires_at.desc()).limit(_MOST)


async def revoked_until(database: Database, tenant: HasSchema) -> dict[str, datetime]:
    """What a tenant has revoked that still matters, by `jti` or `gid`: for who cannot ask Valkey."""
    async with database.tenant_session(tenant) as session:
        rows = await session.execute(_UNTIL.where(_rows.c.expires_at > utc_now()))
        return {row.id: row.expires_at for row in rows}


class Revocations:
    """`tell` writes the key: tenant, `jti` or `gid`, and until when it matters. It may raise RedisError."""

    def __init__(self, tell: Callable[[UUID, str, datetime], Awaitable[None]]) -> None:
        self._tell = tell

    def tell_after_commit(self, session: HasInfo, tenant_id: UUID, revoked: str, until: datetime) -> None:
        """For a transaction that has executed REVOKE."""

        async def tell() -> None:
            try:
                await self._tell(tenant_id, revoked, until)
            except RedisError:
                log.warning("Valkey does not know of a revocation yet", exc_info=True)

        after_commit(session, tell)
