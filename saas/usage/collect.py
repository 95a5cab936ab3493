"""From Valkey's counters to the hours in PostgreSQL, exactly once, whatever is killed on the way.

A tenant's counters become a batch with an id, in one step. The batch is entered, and its id with it, in one
transaction; then it is deleted. Whoever is killed before the transaction leaves a batch that the next one finds; after
it, one whose id is known: it is deleted and not entered again. There is never more than one batch of a tenant.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Final, Protocol

import structlog
from redis.exceptions import RedisError

from saas.usage.counters import Counters, Served
from saas.usage.periods import CALENDARS, Calendar
from saas.usage.service import UsageService
from tenants.database import Database
from tenants.registry import Registry, Tenant

log = structlog.get_logger(__name__)

#: Tenants between two looks at whether the worker is to stop.
_PIECE: Final = 50
#: Those that have a schema, and nobody moves it. The others' counters wait.
_READY: Final = frozenset({"active", "suspended"})


class Ledger(Protocol):
    """Quotas, where requests are checked. Raises RedisError."""

    async def is_known(self, tenant: Tenant) -> bool:
        """Whether the quotas' counters are complete: not where Valkey was emptied since they were last raised."""

    async def raise_to(self, tenant: Tenant, charged: Mapping[Calendar, int]) -> None:
        """Where more was charged in this day or month than a quota's counter says, it says that from now on."""


class Collector:
    def __init__(
        self,
        database: Database,
        registry: Registry,
        counters: Counters,
        usage: UsageService,
        ledger: Ledger,
        *,
        parallel: int = 2,
    ) -> None:
        """`parallel` is how many tenants it works for at once."""
        self._database = database
        self._registry = registry
        self._counters = counters
        self._usage = usage
        self._ledger = ledger
        self._parallel = parallel
        self._waiting: deque[Served] | None = None

    async def collect_some(self) -> int:
        """A piece of a round through the tenants that were served; how many of them it was. 0: the round is over."""
        try:
            if self._waiting is None:
                self._waiting = deque(await self._counters.served())
            piece = [self._waiting.popleft() for _ in range(min(_PIECE, len(self._waiting)))]
            if not piece:
                self._waiting = None
                return 0
            await self._collect(piece)
        except RedisError as error:
            self._waiting = None
            log.warning("Usage cannot be collected, it will be tried again", reason=str(error))
            return 0
        return len(piece)

    async def collect(self, tenant: Tenant) -> int:
        """Enter what was counted of the tenant up to now; how many batches that were. Raises RedisError."""
        batches = 0
        known = await self._ledger.is_known(tenant)
        while batch := await self._counters.take(tenant.id):
            async with self._database.tenant_session(tenant) as session:
                batches += await self._usage.enter(session, batch)
            await self._counters.finish(tenant.id, batch)
            if not batch.is_left:
                break
        if batches and not known:
            async with self._database.tenant_session(tenant) as session:
                charged = {each: await self._usage.charged(session, each) for each in CALENDARS}
            await self._ledger.raise_to(tenant, charged)
        return batches

    async def _collect(self, piece: list[Served]) -> None:
        async with self._database.platform_session() as session:
            found = await self._registry.by_ids(session, [each.tenant_id for each in piece])
        tenants = {tenant.id: tenant for tenant in found}
        # Of one that is no more, nothing is left to enter.
        done = [each for each in piece if each.tenant_id not in tenants]
        waiting = iter([each for each in piece if each not in done and tenants[each.tenant_id].status in _READY])

        async def take() -> None:
            for each in waiting:
                tenant = tenants[each.tenant_id]
                try:
                    await self.collect(tenant)
                    done.append(each)
                except RedisError:
                    raise
                except Exception:
                    log.exception("A tenant's usage was not entered, and goes on with the others", tenant=tenant.slug)

        await asyncio.gather(*(take() for _ in range(self._parallel)))
        await self._counters.forget(done)
