"""A program for the tests: collects a tenant's usage, and is killed again and again.

`python -m tests.unit.saas.usage.collecting SLUG LIVES` gives it so many lives, each of which SIGKILL ends at some
moment of its first rounds.
"""

import asyncio
import os
import random
import signal
import sys
import time
from datetime import timedelta

from saas.kit.redis import Channel, open_client
from saas.ratelimit.quotas import QuotaCounters
from saas.settings import Settings
from saas.usage.collect import Collector
from saas.usage.counters import Counters
from saas.usage.service import UsageService
from tenants.changes import Changes
from tenants.database import Database
from tenants.registry import Registry


async def collect(slug: str, told: int) -> None:
    """Until it is killed; `told` is a pipe that hears when it begins."""
    settings = Settings()
    database, client = Database(settings.database.url, pool_size=1), open_client(settings.redis.url, 5)
    registry = Registry(database, settings.public.origin, Changes(Channel(client, "nobody").publish))
    quotas = QuotaCounters(client)
    usage = UsageService(quotas, timedelta(days=400))
    collector = Collector(database, registry, Counters(client, "nobody"), usage, quotas)
    async with database.platform_session() as session:
        tenant = await registry.get(session, slug)
    await collector.collect(tenant)
    os.write(told, b".")
    while True:
        await collector.collect(tenant)


def live(slug: str) -> None:
    begun, told = os.pipe()
    child = os.fork()
    if child == 0:
        asyncio.run(collect(slug, told))
    os.close(told)
    if not os.read(begun, 1):
        sys.exit("It died of something else")
    os.close(begun)
    time.sleep(random.uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


if __name__ == "__main__":
    for _ in range(int(sys.argv[2])):
        live(sys.argv[1])
