"""What a tenant and its clients used, by the hour, and how its quotas stand."""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from redis.exceptions import RedisError
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Table,
    and_,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from saas.kit.clock import Clock, utc_now
from saas.usage.counters import WHAT, Batch
from saas.usage.models import BatchRow, UsageRow
from saas.usage.periods import CALENDARS, Calendar, Resolution, beginning, between, following, projected
from tenants.purge import purge_rows
from tenants.registry import Tenant

log = logging.getLogger(__name__)

_hours: Final[Table] = UsageRow.metadata.tables[UsageRow.__tablename__]
_batches: Final[Table] = BatchRow.metadata.tables[BatchRow.__tablename__]
#: How long a batch is known for one that was entered: as long as Valkey, restored from a file, might show it again.
_KEEP_BATCHES: Final = timedelta(days=2)
_RECENTLY: Final = timedelta(days=30)
#: In the order of `Use`; a sum of `bigint` is `numeric`, and comes back as one.
_SUMS: Final = [
    func.coalesce(func.sum(column), 0).cast(BigInteger)
    for column in (_hours.c.requests, _hours.c.refusals, _hours.c.would_refuse, _hours.c.cost)
]
_insert = insert(_hours)
_ADD: Final = _insert.on_conflict_do_update(
    index_elements=[_hours.c.hour, _hours.c.client_id],
    set_={name: _hours.c[name] + _insert.excluded[name] for name in WHAT},
)


class Use(NamedTuple):
    """Counts of requests. `requests` were let through: `would_refuse` of them only by the plan's shadow."""

    requests: int = 0
    refusals: int = 0
    would_refuse: int = 0
    #: What the requests weighed: this much of the quotas they took.
    cost: int = 0


class UseAt(NamedTuple):
    """In the hour, day or month that begins at `at`."""

    at: datetime
    use: Use


class UseBy(NamedTuple):
    client_id: str
    use: Use


class QuotaUse(NamedTuple):
    """A quota as it stands now."""

    calendar: Calendar
    limit: int
    used: int
    #: By the end of the day or month, if it goes on as it went so far.
    projected: int
    resets_at: datetime


class Quotas(Protocol):
    """The counters of a tenant's quotas, where requests are checked."""

    async def used(self, tenant: Tenant) -> Mapping[Calendar, tuple[int, int]]:
        """Limit and use of each quota that the plan has. Raises RedisError."""


class UsageService:
    """Hours are entered by the worker: what is shown is up to a minute old. Times are of UTC, beginnings included,
    ends not.
    """

    def __init__(self, quotas: Quotas, keep: timedelta, clock: Clock = utc_now) -> None:
        """`keep` is how long hours are kept."""
        self._quotas = quotas
        self._keep = keep
        self._clock = clock

    async def hours(
        self,
        session: AsyncSession,
        since: datetime,
        until: datetime,
        client: str | None = None,
        resolution: Resolution = "hour",
    ) -> list[UseAt]:
        """Each hour (or day, or month) that lies between, in order, also those without use: as many as there are, so
        bound what you ask for. Those at the ends count in full.
        """
        periods = list(between(since, until, resolution))
        if not periods:
            return []
        # As text of the query, so that it is the same expression where it is grouped by.
        begin = func.date_trunc(literal_column(f"'{resolution}'"), _hours.c.hour, literal_column("'UTC'"))
        within = _within(periods[0], following(periods[-1], resolution))
        if client is not None:
            within = and_(within, _hours.c.client_id == client)
        found = await session.execute(select(begin, *_SUMS).where(within).group_by(begin))
        known = {at: Use(*counts) for at, *counts in found}
        return [UseAt(at, known.get(at, Use())) for at in periods]

    async def clients(
        self, session: AsyncSession, since: datetime, until: datetime, limit: int = 20, client: str | None = None
    ) -> list[UseBy]:
        """Who asked most often, refusals included, the busiest first; or one of them."""
        query = select(_hours.c.client_id, *_SUMS).where(_within(beginning(since, "hour"), until))
        if client is not None:
            query = query.where(_hours.c.client_id == client)
        asked = func.sum(_hours.c.requests + _hours.c.refusals)
        query = query.group_by(_hours.c.client_id).order_by(asked.desc(), _hours.c.client_id).limit(limit)
        return [UseBy(name, Use(*counts)) for name, *counts in await session.execute(query)]

    async def totals(self, session: AsyncSession, since: datetime | None = None, until: datetime | None = None) -> Use:
        """Of the last thirty days, unless it is said since when."""
        until = until or self._clock()
        within = _within(beginning(since or until - _RECENTLY, "hour"), until)
        return Use._make((await session.execute(select(*_SUMS).where(within))).one())

    async def quota(self, tenant: Tenant) -> list[QuotaUse]:
        """The day's, and the month's where the plan has one, as requests are checked against them.

        Empty where Valkey does not answer: nobody knows then.
        """
        now = self._clock()
        try:
            counted = await self._quotas.used(tenant)
        except (RedisError, OSError) as error:
            log.warning("Quotas cannot be read: %s", error)
            return []
        return [
            QuotaUse(each, limit, used, projected(used, now, each), following(beginning(now, each), each))
            for each in CALENDARS
            if each in counted
            for limit, used in [counted[each]]
        ]

    async def charged(self, session: AsyncSession, calendar: Calendar) -> int:
        """What the hours know of this day's or month's use of the quotas."""
        return (await self.totals(session, beginning(self._clock(), calendar))).cost

    async def enter(self, session: AsyncSession, batch: Batch) -> bool:
        """Add a batch to the hours; False, and nothing is added, where it was entered before."""
        entered = insert(_batches).values(id=batch.id, taken_at=self._clock()).on_conflict_do_nothing()
        if not await session.scalar(entered.returning(_batches.c.id)):
            return False
        if batch.counts:
            rows = [{"hour": each.hour, "client_id": each.client_id, **each.counts} for each in batch.counts]
            await session.execute(_ADD, rows)
        return True

    async def purge(self, session: AsyncSession, limit: int = 1000) -> int:
        """Delete at most `limit` hours that are older than is kept, and as many batches that were entered long ago;
        how many rows. Those that others are deleting are left to them.

        Of the batches, the last stays: Valkey may hold it still, where the worker that entered it was killed.
        """
        now = self._clock()
        last = select(func.max(_batches.c.taken_at)).scalar_subquery()
        entered = and_(_batches.c.taken_at < now - _KEEP_BATCHES, _batches.c.taken_at < last)
        return sum(
            [
                await purge_rows(session, table, old, limit)
                for table, old in ((_hours, _hours.c.hour < now - self._keep), (_batches, entered))
            ]
        )


def total(uses: Iterable[Use]) -> Use:
    return Use(*map(sum, zip(Use(), *uses, strict=True)))


def _within(since: datetime, until: datetime) -> ColumnElement[bool]:
    return and_(_hours.c.hour >= since, _hours.c.hour < until)
