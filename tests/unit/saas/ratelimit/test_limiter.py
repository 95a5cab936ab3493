import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from saas.kit.redis import open_client
from saas.ratelimit.decision import MAX_COST, SECOND, Limit, Quota, Rate, State, decide
from saas.ratelimit.limiter import Limiter, Subject, Verdict
from saas.settings import LimitsSettings
from tests.unit.saas.ratelimit.conftest import PATIENT, eventually
from tests.valkey import Valkey

SLOW: tuple[Limit, ...] = (Rate("minute", 1, 50), Quota("day", 1000, "day"))
HASTY = LimitsSettings(timeout=0.05, failures=2, pause=0.1, replicas=5)


@pytest.fixture
def tenant() -> UUID:
    return uuid4()


async def ask(limiter: Limiter, tenant: UUID, limits: tuple[Limit, ...], requests: int, cost: int = 1) -> list[Verdict]:
    return await asyncio.gather(*(limiter.check(Subject(tenant), limits, cost) for _ in range(requests)))


def passed(verdicts: list[Verdict]) -> int:
    return sum(verdict.allowed for verdict in verdicts)


class TestCheck:
    async def test_the_burst_passes_and_no_more_however_many_ask_at_once(self, limiter: Limiter, tenant: UUID) -> None:
        verdicts = await ask(limiter, tenant, SLOW, 300)
        assert passed(verdicts) == 50
        refused = [verdict for verdict in verdicts if not verdict.allowed]
        assert {verdict.retry_after for verdict in refused} <= {59, 60}
        assert not any(verdict.degraded for verdict in verdicts)

    async def test_several_processes_count_together(self, limiter: Limiter, valkey_url: str, tenant: UUID) -> None:
        other = Limiter(valkey_url, PATIENT)
        both = await asyncio.gather(ask(limiter, tenant, SLOW, 100), ask(other, tenant, SLOW, 100))
        assert passed([*both[0], *both[1]]) == 50
        await other.close()

    async def test_what_passes_in_a_second_is_what_the_rate_says(
        self, limiter: Limiter, valkey_url: str, tenant: UUID
    ) -> None:
        limits = (Rate("minute", 12_000, 100),)
        other = Limiter(valkey_url, PATIENT)

        async def hammer(through: Limiter, until: float) -> int:
            count = 0
            while time.monotonic() < until:
                count += passed(await ask(through, tenant, limits, 20))
            return count

        started = time.monotonic()
        counts = await asyncio.gather(*(hammer(through, started + 1) for through in (limiter, other)))
        elapsed = time.monotonic() - started
        assert 0.9 * (100 + 200) <= sum(counts) <= 100 + 200 * elapsed + 1
        await other.close()

    async def test_two_tenants_never_touch_each_other(self, limiter: Limiter) -> None:
        tenants = [uuid4() for _ in range(5)]
        verdicts = await asyncio.gather(*(ask(limiter, tenant, SLOW, 60) for tenant in tenants))
        assert [passed(found) for found in verdicts] == [50] * 5

    async def test_a_bucket_is_counted_apart_from_its_tenant(self, limiter: Limiter, tenant: UUID) -> None:
        await ask(limiter, tenant, SLOW, 60)
        subject = Subject(tenant, bucket="token:192.0.2.1")
        assert (await limiter.check(subject, SLOW)).standings[0].remaining == 49
        assert (await limiter.check(subject, SLOW)).standings[0].remaining == 48
        assert (await limiter.check(Subject(tenant, bucket="token:192.0.2.2"), SLOW)).standings[0].remaining == 49

    async def test_what_one_limit_refuses_is_charged_to_none(self, limiter: Limiter, tenant: UUID) -> None:
        tight = (Rate("minute", 1, 50), Quota("day", 3, "day"))
        verdicts = await ask(limiter, tenant, tight, 10)
        assert passed(verdicts) == 3
        assert verdicts[-1].standings[0].remaining == 47
        assert verdicts[-1].standings[1].wait > 0 == verdicts[-1].standings[0].wait

    async def test_weights(self, limiter: Limiter, tenant: UUID) -> None:
        assert passed(await ask(limiter, tenant, SLOW, 20, cost=7)) == 7
        assert passed(await ask(limiter, tenant, SLOW, 20)) == 1

    @pytest.mark.parametrize("cost", [0, -1, MAX_COST + 1])
    async def test_a_weight_out_of_bounds_is_a_mistake(self, limiter: Limiter, tenant: UUID, cost: int) -> None:
        with pytest.raises(ValueError, match="weigh"):
            await limiter.check(Subject(tenant), SLOW, cost)

    async def test_the_servers_verdicts_are_those_of_the_pure_decision(self, limiter: Limiter, tenant: UUID) -> None:
        limits: tuple[Limit, ...] = (Rate("minute", 6_000, 5), Quota("day", 40, "day"), Quota("month", 45, "month"))
        states: list[State] = [None] * 3
        keys = [f"{{{tenant.hex}}}:limit:{limit.name}" for limit in limits]
        for step in range(60):
            cost = step % 3 + 1
            arguments: list[bytes | int | str] = [cost, len(limits), "", "", b"".join(limit.packed for limit in limits)]
            now, allowed, *numbers = await limiter.nodes.all[0].connection.run(keys, arguments)
            expected = decide(limits, states, now, cost)
            assert (allowed, numbers) == (expected.allowed, [n for standing in expected.standings for n in standing])
            states = expected.states or states
            await asyncio.sleep(0.01 * (step % 4))


class TestPlanChange:
    async def test_new_limits_hold_at_the_next_request(self, limiter: Limiter, tenant: UUID) -> None:
        free, pro = (Rate("minute", 1, 10),), (Rate("minute", 600, 60),)
        assert passed(await ask(limiter, tenant, free, 20)) == 10
        assert (await limiter.check(Subject(tenant), pro)).standings[0].remaining == 49
        assert passed(await ask(limiter, tenant, pro, 40)) == 40
        refused = await limiter.check(Subject(tenant), free)
        assert not refused.allowed
        assert refused.retry_after <= 60


class TestRevocation:
    async def test_a_revoked_token_is_refused_and_charges_nobody(self, limiter: Limiter, tenant: UUID) -> None:
        await limiter.check(Subject(tenant, ("a",)), SLOW)
        await limiter.revoke(tenant, "a", datetime.now(UTC) + timedelta(minutes=1))
        refused = await limiter.check(Subject(tenant, ("a",)), SLOW)
        assert (refused.allowed, refused.revoked, list(refused.standings)) == (False, True, [])
        other = await limiter.check(Subject(tenant, ("b",)), SLOW)
        assert (other.allowed, other.standings[0].remaining) == (True, 48)

    async def test_a_token_is_refused_by_any_of_its_ids(self, limiter: Limiter, tenant: UUID) -> None:
        await limiter.revoke(tenant, "grant", datetime.now(UTC) + timedelta(minutes=1))
        for token_ids in (("grant", "a"), ("a", "grant"), ("grant",)):
            assert (await limiter.check(Subject(tenant, token_ids), SLOW)).revoked
        assert (await limiter.check(Subject(tenant, ("a", "b")), SLOW)).allowed

    async def test_the_same_token_of_another_tenant_is_another_token(self, limiter: Limiter, tenant: UUID) -> None:
        await limiter.revoke(tenant, "a", datetime.now(UTC) + timedelta(minutes=1))
        assert (await limiter.check(Subject(uuid4(), ("a",)), SLOW)).allowed

    async def test_a_revocation_is_kept_as_long_as_the_token_may_be_believed(
        self, limiter: Limiter, valkey_url: str, tenant: UUID
    ) -> None:
        await limiter.revoke(tenant, "new", datetime.now(UTC) + timedelta(minutes=10))
        await limiter.revoke(tenant, "old", datetime.now(UTC) - timedelta(days=1))
        client = open_client(valkey_url, 5)
        keys = await client.keys(f"{{{tenant.hex}}}:*")
        assert keys == [f"{{{tenant.hex}}}:revoked:new".encode()]
        assert 19 * 60 <= await client.ttl(keys[0]) <= 20 * 60
        await client.aclose()


class TestPurge:
    async def test_nothing_of_the_tenant_is_left_and_all_of_the_others_is(
        self, limiter: Limiter, valkey_url: str, tenant: UUID
    ) -> None:
        neighbour = uuid4()
        for owner in (tenant, neighbour):
            await ask(limiter, owner, SLOW, 2)
            await limiter.revoke(owner, "a", datetime.now(UTC) + timedelta(minutes=1))
        client = open_client(valkey_url, 5)
        await client.mset({f"{{{tenant.hex}}}:limit:minute:{number}": "x" for number in range(3000)})
        await limiter.purge(tenant)
        assert await client.keys(f"{{{tenant.hex}}}:*") == []
        assert len(await client.keys(f"{{{neighbour.hex}}}:*")) == 3
        await client.aclose()


@pytest.fixture
async def hasty(own_valkey: Valkey) -> AsyncIterator[Limiter]:
    opened = Limiter(own_valkey.url, HASTY, workers=2)
    await opened.open()
    yield opened
    await opened.close()


async def recovered(limiter: Limiter, tenant: UUID) -> None:
    deadline = time.monotonic() + 10
    while (await limiter.check(Subject(tenant), SLOW)).degraded:
        assert time.monotonic() < deadline, "It did not recover"
        await asyncio.sleep(0.01)


class TestFaults:
    async def test_a_dead_valkey_leaves_each_process_its_share(
        self, hasty: Limiter, own_valkey: Valkey, tenant: UUID
    ) -> None:
        assert not (await hasty.check(Subject(tenant), SLOW)).degraded
        own_valkey.kill()
        verdicts = await ask(hasty, tenant, SLOW, 100)
        assert passed(verdicts) == 50 // (5 * 2)
        assert all(verdict.degraded for verdict in verdicts)

    async def test_it_recovers_without_a_restart_from_an_empty_valkey(
        self, hasty: Limiter, own_valkey: Valkey, tenant: UUID
    ) -> None:
        own_valkey.kill()
        while not hasty.degraded:
            await hasty.check(Subject(tenant), SLOW)
        own_valkey.start()
        await recovered(hasty, uuid4())
        assert not hasty.degraded
        assert passed(await ask(hasty, tenant, SLOW, 100)) == 50

    async def test_a_paused_valkey_delays_a_few_requests_and_then_none(
        self, hasty: Limiter, own_valkey: Valkey, tenant: UUID
    ) -> None:
        await hasty.check(Subject(tenant), SLOW)
        own_valkey.pause()
        started = time.monotonic()
        while not hasty.degraded:
            assert (await hasty.check(Subject(tenant), SLOW)).degraded
        assert time.monotonic() - started < 2
        quick = 0
        for _ in range(20):
            started = time.monotonic()
            await hasty.check(Subject(tenant), SLOW)
            quick += time.monotonic() - started < HASTY.timeout
        assert quick >= 18  # one of them may be the probe
        own_valkey.resume()
        await recovered(hasty, tenant)

    async def test_while_it_is_away_only_probes_ask(
        self, hasty: Limiter, own_valkey: Valkey, tenant: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own_valkey.pause()
        while not hasty.degraded:
            await hasty.check(Subject(tenant), SLOW)
        asked = 0
        connection = hasty.nodes.all[0].connection
        run = connection.run

        def counted(keys: Sequence[str], arguments: Sequence[str | bytes | int]) -> "asyncio.Future[list[int]]":
            nonlocal asked
            asked += 1
            return run(keys, arguments)

        monkeypatch.setattr(connection, "run", counted)
        until = time.monotonic() + 3 * HASTY.pause
        while time.monotonic() < until:
            await ask(hasty, tenant, SLOW, 50)
        assert 1 <= asked <= 4  # a pause is 0.75 of the setting at least
        own_valkey.resume()

    async def test_a_full_valkey_counts_as_gone(self, hasty: Limiter, own_valkey: Valkey, tenant: UUID) -> None:
        client = open_client(own_valkey.url, 5)
        await client.config_set("maxmemory", "1")
        assert (await hasty.check(Subject(tenant), SLOW)).degraded
        await client.config_set("maxmemory", "0")
        await recovered(hasty, tenant)
        await client.aclose()

    async def test_it_opens_without_valkey(self, own_valkey: Valkey, tenant: UUID) -> None:
        own_valkey.kill()
        limiter = Limiter(own_valkey.url, HASTY)
        await limiter.open()
        assert (await limiter.check(Subject(tenant), SLOW)).degraded
        own_valkey.start()
        await recovered(limiter, tenant)
        await limiter.close()

    async def test_a_cancelled_probe_does_not_end_the_probing(
        self, hasty: Limiter, own_valkey: Valkey, tenant: UUID
    ) -> None:
        own_valkey.pause()
        while not hasty.degraded:
            await hasty.check(Subject(tenant), SLOW)
        await asyncio.sleep(HASTY.pause * 1.3)
        probe = asyncio.create_task(hasty.check(Subject(tenant), SLOW))
        await asyncio.sleep(0)
        probe.cancel()
        await asyncio.wait([probe])
        assert probe.cancelled()
        own_valkey.resume()
        await recovered(hasty, tenant)

    async def test_under_load_it_fails_over_and_back_with_no_error(self, hasty: Limiter, own_valkey: Valkey) -> None:
        limits: tuple[Limit, ...] = (Rate("minute", 10**6, 10**6),)
        verdicts: list[Verdict] = []
        stop = False

        async def client() -> None:
            tenant = uuid4()
            while not stop:
                verdicts.append(await hasty.check(Subject(tenant), limits))
                await asyncio.sleep(0)

        clients = [asyncio.create_task(client()) for _ in range(20)]
        await eventually(lambda: len(verdicts) > 500)
        own_valkey.pause()
        await eventually(lambda: hasty.degraded)
        own_valkey.resume()
        await eventually(lambda: not hasty.degraded)
        own_valkey.kill()
        await eventually(lambda: hasty.degraded)
        own_valkey.start()
        await eventually(lambda: not hasty.degraded)
        stop = True
        await asyncio.gather(*clients)
        assert all(verdict.allowed for verdict in verdicts)
        assert {verdict.degraded for verdict in verdicts} == {True, False}


async def test_a_local_wait_is_that_of_the_share(own_valkey: Valkey, tenant: UUID) -> None:
    own_valkey.kill()
    limiter = Limiter(own_valkey.url, HASTY)
    first, second = [await limiter.check(Subject(tenant), (Rate("minute", 60, 5),)) for _ in range(2)]
    assert first.allowed
    assert not second.allowed
    assert 4 * SECOND < second.standings[0].wait <= 5 * SECOND
    await limiter.close()
