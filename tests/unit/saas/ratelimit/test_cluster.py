"""Against three real nodes: every script touches one slot, and finds the node that holds it."""

import asyncio
from binascii import crc_hqx
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast
from uuid import UUID, uuid4

import pytest

from saas.kit.mail import MailboxMailer, Message
from saas.kit.metrics import Metrics
from saas.kit.redis import Channel, open_client
from saas.ratelimit.decision import Concurrency, Limit, Quota, Rate
from saas.ratelimit.limiter import Limiter, Subject
from saas.ratelimit.quotas import QuotaCounters
from saas.ratelimit.upkeep import SERVED, kept_up
from saas.settings import LimitsSettings
from saas.usage.counters import Counters
from saas.usage.service import Use
from tenants.plans import Plan
from tenants.registry import Tenant
from tests.cluster import ClusterOfThree, run_cluster
from tests.unit.saas.ratelimit.conftest import PATIENT, eventually

LIMITS: tuple[Limit, ...] = (Rate("minute", 1, 5), Quota("day", 100, "day"), Concurrency("concurrent", 50))


@pytest.fixture(scope="module")
def cluster() -> Iterator[ClusterOfThree]:
    with run_cluster() as running:
        yield running


@pytest.fixture
async def limiter(cluster: ClusterOfThree) -> AsyncIterator[Limiter]:
    opened = Limiter(cluster.url, PATIENT, cluster=True)
    await opened.open()
    yield opened
    await opened.close()


def slot_of(tenant: UUID) -> int:
    return crc_hqx(tenant.hex.encode(), 0) % 16_384


def tenant_on(cluster: ClusterOfThree, node: int) -> UUID:
    while cluster.holder(slot_of(tenant := uuid4())) != node:
        pass
    return tenant


async def passed(limiter: Limiter, tenant: UUID, requests: int = 8) -> int:
    subject = Subject(tenant, ("token",), client="c", counts=True)
    verdicts = await asyncio.gather(*(limiter.check(subject, LIMITS) for _ in range(requests)))
    assert not any(verdict.degraded for verdict in verdicts)
    for verdict in verdicts:
        if verdict.lease:
            limiter.release(verdict.lease)
    return sum(verdict.allowed for verdict in verdicts)


async def test_tenants_of_all_nodes_are_counted_each_on_its_own(limiter: Limiter, cluster: ClusterOfThree) -> None:
    tenants = [tenant_on(cluster, node) for node in (0, 1, 2) for _ in range(4)]
    assert await asyncio.gather(*(passed(limiter, tenant) for tenant in tenants)) == [5] * 12
    for tenant in tenants[::4]:
        keys = cluster.clients[cluster.holder(slot_of(tenant))].keys(f"{{{tenant.hex}}}:*")
        assert len(keys) >= 3  # rate, quota, usage


async def test_revocations_and_what_is_left_of_a_tenant(limiter: Limiter, cluster: ClusterOfThree) -> None:
    tenant = tenant_on(cluster, 2)
    await passed(limiter, tenant, 1)
    await limiter.revoke(tenant, "token", datetime.now(UTC) + timedelta(minutes=1))
    assert (await limiter.check(Subject(tenant, ("token",)), LIMITS)).revoked
    await limiter.purge(tenant)
    assert cluster.clients[2].keys(f"{{{tenant.hex}}}:*") == []


async def test_usage_is_taken_from_all_nodes_and_quotas_are_given_back(
    limiter: Limiter, cluster: ClusterOfThree
) -> None:
    tenants = [tenant_on(cluster, node) for node in (0, 1, 2)]
    for tenant in tenants:
        await passed(limiter, tenant, 7)
    counters, quotas = Counters(limiter.client, SERVED), QuotaCounters(limiter.client)
    limiter.served.discard(tenants[0].hex)  # its server was killed before it could say so
    async with kept_up(limiter, Metrics("1"), token_lifetime=60):
        served = {each.tenant_id: each for each in await counters.served()}
    assert set(tenants) <= set(served)
    for tenant in tenants:
        batch = await counters.take(tenant)
        assert batch is not None
        assert [each.counts for each in batch.counts] == [Use(requests=5, refusals=2, cost=5)._asdict()]
        await counters.finish(tenant, batch)
        assert await counters.take(tenant) is None
        plan = Plan("p", requests_per_minute=1, burst=1, requests_per_day=100, requests_per_month=1000)
        holder = cast("Tenant", SimpleNamespace(id=tenant, plan=plan))
        assert not await quotas.is_known(holder)
        await quotas.raise_to(holder, {"day": 4, "month": 40})
        assert await quotas.is_known(holder)
        assert await quotas.used(holder) == {"day": (100, 5), "month": (1000, 40)}
    await counters.forget([served[tenant] for tenant in tenants])
    assert not set(tenants) & {each.tenant_id for each in await counters.served()}


async def test_a_slot_that_moves_is_followed_while_it_moves_and_afterwards(
    limiter: Limiter, cluster: ClusterOfThree
) -> None:
    tenant = tenant_on(cluster, 0)
    slot = slot_of(tenant)
    assert await passed(limiter, tenant, 3) == 3
    cluster.ask(1, "CLUSTER", "SETSLOT", slot, "IMPORTING", cluster.node_id(0))
    cluster.ask(0, "CLUSTER", "SETSLOT", slot, "MIGRATING", cluster.node_id(1))
    subject = Subject(tenant, address=tenant.hex)
    assert (await limiter.check(subject, LIMITS[:1])).allowed  # of one key, which is here
    keys = cluster.ask(0, "CLUSTER", "GETKEYSINSLOT", slot, 100)
    cluster.ask(0, "MIGRATE", "127.0.0.1", cluster.ports[1], "", 0, 5000, "KEYS", *keys)
    asked = await limiter.check(subject, LIMITS[:1])  # ASK
    assert (asked.degraded, asked.standings[0].remaining) == (False, 0)
    # Of many keys, some of which do not exist: TRYAGAIN. Its tenants wait for nothing, and the node is not given up.
    assert (await limiter.check(Subject(tenant, ("token",)), LIMITS)).degraded
    assert limiter.status() is None
    for node in (1, 0):
        cluster.ask(node, "CLUSTER", "SETSLOT", slot, "NODE", cluster.node_id(1))
    assert await passed(limiter, tenant) == 0  # MOVED: three passed before, and two in between
    assert await passed(limiter, tenant_on(cluster, 0)) == 5
    assert limiter.nodes.at(tenant.hex).connection.address.port == cluster.ports[1]


async def test_pub_sub_mailbox_and_sets_work_too(cluster: ClusterOfThree) -> None:
    client = open_client(cluster.url, 5, cluster=True)
    heard: list[bytes] = []
    channel = Channel(client, "saas:test")
    async with channel.listen(heard.append):
        await channel.publish(b"change")
        await eventually(lambda: heard == [b"change"])
    mailbox = MailboxMailer(client)
    await mailbox.send(Message("a@b.example", "Hello", "text"))
    assert [message.subject for message in await mailbox.messages()] == ["Hello"]
    await client.sadd("saas:logouts", "a")
    members: object = await client.spop("saas:logouts", 5)
    assert members == [b"a"]
    assert await client.ping()
    await client.aclose()


async def test_a_dead_node_degrades_its_own_tenants_and_no_others(cluster: ClusterOfThree) -> None:
    """The last one: the node stays dead."""
    settings = LimitsSettings(timeout=0.2, failures=2, pause=0.1)
    limiter = Limiter(cluster.url, settings, cluster=True, workers=5)
    await limiter.open()
    dead, well = tenant_on(cluster, 1), tenant_on(cluster, 2)
    cluster.processes[1].kill()
    verdicts = [await limiter.check(Subject(dead), LIMITS) for _ in range(4)]
    assert [verdict.degraded for verdict in verdicts] == [True] * 4
    assert sum(verdict.allowed for verdict in verdicts) == 1  # a fifth
    assert await passed(limiter, well) == 5
    assert limiter.status()
    await limiter.close()
