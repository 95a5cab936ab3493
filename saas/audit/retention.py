"""How long events are kept: as many days as the plan says. What is pruned leaves its last hash, so that the chain of
what stays can be verified."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Table, delete, func, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession

from saas.audit.models import EventRow, HeadRow
from saas.audit.service import record
from tenants.base import utc_now
from tenants.database import Database, HasSchema

_events: Final[Table] = EventRow.metadata.tables[EventRow.__tablename__]
_head: Final[Table] = HeadRow.metadata.tables[HeadRow.__tablename__]


async def prune_all(database: Database, tenant: HasSchema, keep: timedelta, batch: int = 1000) -> int:
    """Delete what is older than `keep`, in transactions of a bounded size; how many events.

    By whole days, in UTC: however often it is asked, it is one event a day.
    """
    before = (utc_now() - keep).replace(hour=0, minute=0, second=0, microsecond=0)
    total, deleted = 0, batch
    while deleted >= batch:
        async with database.tenant_session(tenant) as session:
            deleted = await prune(session, before, batch)
        total += deleted
    return total


async def prune(session: AsyncSession, before: datetime, limit: int = 1000) -> int:
    """Delete events from before then, the oldest first, up to the first that is younger; how many.

    It is an event itself. Nobody writes to the log until this transaction ends.
    """
    oldest = await session.scalar(select(_events.c.occurred_at).order_by(_events.c.position).limit(1))
    if oldest is None or oldest >= before:
        return 0
    pruned: int | None = await session.scalar(select(_head.c.pruned_position).with_for_update())
    young = select(func.min(_events.c.position)).where(_events.c.occurred_at >= before)
    first_kept = await session.scalar(young)
    through = await session.scalar(
        select(func.max(_events.c.position)).where(
            _events.c.position <= (pruned or 0) + limit,
            *([] if first_kept is None else [_events.c.position < first_kept]),
        )
    )
    if through is None:
        return 0
    kept = select(_events.c.hash).where(_events.c.position == through).scalar_subquery()
    await session.execute(update(_head).values(pruned_position=through, pruned_hash=kept))
    deleted: CursorResult[Any] = await session.execute(delete(_events).where(_events.c.position <= through))  # type: ignore[assignment]  # what DML yields
    record(session, "audit.pruned", details={"events": deleted.rowcount, "through": through, "before": before})
    return deleted.rowcount
