"""A program for the tests: collects a tenant's usage, and dies by SIGKILL with its first batch.

`python -m tests.unit.saas.usage.collecting SLUG` does so in one process after the other: each dies one step later than
the one before it. What nobody has counted yet, it waits for.
"""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from saas.kit.redis import Channel, open_client
from saas.ratelimit.quotas import QuotaCounters
from saas.settings import Settings
from saas.usage.collect import Collector
from saas.usage.counters import Batch, Counters
from saas.usage.service import UsageService
from tenants.changes import Changes
from tenants.database import Database
from tenants.registry import Registry

STEPS = ("taken", "written", "committed", "finished")
#: Where this process dies.
_last = ""


def done(step: str) -> None:
    if step == _last:
        os.kill(os.getpid(), signal.SIGKILL)


class MortalCounters(Counters):
    async def take(self, tenant_id: UUID) -> Batch | None:
        batch = await super().take(tenant_id)
        if batch is not None:
            done("taken")
        return batch

    async def finish(self, tenant_id: UUID, batch: Batch) -> None:
        done("committed")
        await super().finish(tenant_id, batch)
        done("finished")


class MortalUsage(UsageService):
    async def enter(self, session: AsyncSession, batch: Batch) -> bool:
        entered = await super().enter(session, batch)
        done("written")
        return entered


async def collect(slug: str) -> None:
    settings = Settings()
    database, client = Database(settings.database.url, pool_size=1), open_client(settings.redis.url, 5)
    registry = Registry(database, settings.public.origin, Changes(Channel(client, "nobody").publish))
    quotas = QuotaCounters(client)
    usage = MortalUsage(quotas, timedelta(days=400))
    collector = Collector(database, registry, MortalCounters(client, "nobody"), usage, quotas)
    async with database.platform_session() as session:
        tenant = await registry.get(session, slug)
    while True:
        await collector.collect(tenant)


if __name__ == "__main__":
    for _last in STEPS:
        child = os.fork()
        if child == 0:
            asyncio.run(collect(sys.argv[1]))
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != -signal.SIGKILL:
            sys.exit("It died of something else")
