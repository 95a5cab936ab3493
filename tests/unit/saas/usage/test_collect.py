"""From Valkey to PostgreSQL, exactly once: whatever is killed on the way, and whoever collects at the same time."""

import asyncio
import itertools
import os
import sys
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from redis.exceptions import RedisError

from saas.kit.metrics import Metrics
from saas.ratelimit.quotas import QuotaCounters
from saas.ratelimit.upkeep import SERVED, kept_up
from saas.services import Services
from saas.usage.collect import Collector
from saas.usage.counters import Counters
from saas.usage.service import Use
from tenants.registry import Tenant
from tests.unit.saas.usage.conftest import Ask, Entered


def another(services: Services) -> Collector:
    """As another worker has it."""
    counters, quotas = Counters(services.redis, SERVED), QuotaCounters(services.redis)
    return Collector(services.database, services.registry, counters, services.usage, quotas)


async def collect_round(collector: Collector) -> None:
    while await collector.collect_some():
        pass


async def said_to_be_served(services: Services, tenant: Tenant) -> bool:
    return await services.redis.zscore(SERVED, tenant.id.hex) is not None


@pytest.mark.parametrize("killed", ["taken", "entered", "finished"])
async def test_a_batch_is_entered_once_wherever_the_worker_was_killed(
    services: Services, tenant: Tenant, ask: Ask, entered: Entered, killed: str
) -> None:
    counters = Counters(services.redis, SERVED)
    await ask(tenant, 3)
    await ask(tenant, 2, "", cost=4)
    batch = await counters.take(tenant.id)
    assert batch is not None
    if killed != "taken":
        async with services.database.tenant_session(tenant) as session:
            assert await services.usage.enter(session, batch)
    if killed == "finished":
        await counters.finish(tenant.id, batch)
    await ask(tenant, 2)
    await services.collector.collect(tenant)
    expected = {"c": Use(requests=5, cost=5), "": Use(requests=2, cost=8)}
    assert await entered(tenant) == expected
    # It was not killed but slow, and goes on now, while another batch lies there.
    async with services.database.tenant_session(tenant) as session:
        assert not await services.usage.enter(session, batch)
    await ask(tenant, 1, "late")
    await counters.take(tenant.id)
    await counters.finish(tenant.id, batch)
    assert await services.collector.collect(tenant) == 1
    assert await services.collector.collect(tenant) == 0
    assert await entered(tenant) == {**expected, "late": Use(requests=1, cost=1)}


async def test_workers_that_die_in_the_middle_neither_lose_nor_double(
    services: Services, tenant: Tenant, ask: Ask, entered: Entered, environment: dict[str, str]
) -> None:
    """While requests are counted, and another worker comes by now and then."""
    program = (sys.executable, "-m", "tests.unit.saas.usage.collecting", tenant.slug)
    process = await asyncio.create_subprocess_exec(*program, env={**os.environ, **environment})
    ended = asyncio.create_task(process.wait())
    counted = {"a": 0, "b": 0}
    for turn in itertools.count():
        for client in counted:
            await ask(tenant, 2, client)
            counted[client] += 2
        await asyncio.sleep(0.02)
        if turn % 8 == 7:
            await services.collector.collect(tenant)
        if ended.done():
            break
    assert process.returncode == 0
    await services.collector.collect(tenant)
    found = await entered(tenant)
    assert {name: use.requests + use.refusals for name, use in found.items()} == counted
    assert all(use.cost == use.requests for use in found.values())


async def test_those_who_were_served_are_collected_and_no_others(
    services: Services, tenant: Tenant, other_tenant: Tenant, ask: Ask, entered: Entered
) -> None:
    await collect_round(services.collector)  # what other tests have left
    async with kept_up(services.limiter, Metrics("1"), token_lifetime=60):
        await ask(tenant, 2)
    assert await said_to_be_served(services, tenant)
    gone = uuid4().hex
    await services.redis.zadd(SERVED, {gone: 1.0})
    await collect_round(services.collector)
    assert await entered(tenant) == {"c": Use(requests=2, cost=2)}
    assert not await said_to_be_served(services, tenant)
    assert await services.redis.zscore(SERVED, gone) is None
    # A server that was killed did not say whom it served: once a day, all keys are looked through.
    services.limiter.served.clear()
    await ask(other_tenant, 1)
    await collect_round(another(services))
    assert await entered(other_tenant) == {}
    await services.redis.delete(f"{SERVED}:swept")
    await collect_round(another(services))
    assert await entered(other_tenant) == {"c": Use(requests=1, cost=1)}


async def test_a_tenant_that_is_served_meanwhile_is_not_forgotten_and_a_failing_one_waits(
    services: Services, tenant: Tenant, other_tenant: Tenant, ask: Ask, entered: Entered
) -> None:
    counters = Counters(services.redis, SERVED)
    for each in (tenant, other_tenant):
        await ask(each, 1)
    await services.redis.zadd(SERVED, {tenant.id.hex: 5.0, other_tenant.id.hex: 6.0})
    served = {each.tenant_id: each for each in await counters.served()}
    await services.redis.zadd(SERVED, {tenant.id.hex: 7.0})
    await counters.forget([served[tenant.id], served[other_tenant.id]])
    assert await said_to_be_served(services, tenant)
    assert not await said_to_be_served(services, other_tenant)
    await services.redis.zadd(SERVED, {other_tenant.id.hex: 8.0})
    collector, collect = another(services), Collector.collect

    async def fail(self: Collector, chosen: Tenant) -> int:
        if chosen.id == tenant.id:
            raise ZeroDivisionError
        return await collect(self, chosen)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Collector, "collect", fail)
        await collect_round(collector)
    assert await entered(other_tenant) == {"c": Use(requests=1, cost=1)}
    assert await entered(tenant) == {}
    assert await said_to_be_served(services, tenant)

    async def no_answer(_: Counters) -> None:
        raise RedisError("No answer")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Counters, "served", no_answer)
        assert await collector.collect_some() == 0
    await collect_round(collector)
    assert await entered(tenant) == {"c": Use(requests=1, cost=1)}


async def test_quotas_that_valkey_lost_are_given_back(
    services: Services, tenant: Tenant, ask: Ask, entered: Entered
) -> None:
    tag = f"{{{tenant.id.hex}}}"

    async def used() -> dict[str, int]:
        return {each.calendar: each.used for each in await services.usage.quota(tenant)}

    await ask(tenant, 3, cost=5)
    await services.collector.collect(tenant)
    quotas = await used()
    assert quotas == dict.fromkeys(quotas, 15)
    assert quotas
    keys = [key async for key in services.redis.scan_iter(f"{tag}:*")]
    await services.redis.delete(*keys)  # Valkey was restarted empty
    assert set((await used()).values()) == {0}
    await ask(tenant, 1, cost=2)
    batch = await Counters(services.redis, SERVED).take(tenant.id)  # by a worker that is killed then
    assert batch is not None
    await ask(tenant, 1)
    await services.collector.collect(tenant)
    assert await used() == dict.fromkeys(quotas, 18)
    await ask(tenant, 1)
    await services.collector.collect(tenant)
    assert await used() == dict.fromkeys(quotas, 19), "raised once, counted as ever after"
    # What the database does not know yet is not lost where the counters are compared again.
    await services.redis.delete(f"{tag}:quotas", f"{tag}:limit:day")
    await ask(tenant, 2)
    await QuotaCounters(services.redis).raise_to(tenant, {"day": 19, "month": 19})
    assert await used() == dict.fromkeys(quotas, 21)
    assert (await entered(tenant))["c"].cost == 19
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    assert list(await services.redis.hgetall(f"{tag}:usage")) == [
        f"{hour.timestamp():.0f}:c:{what}".encode() for what in ("requests", "cost")
    ]
