"""What happens without Valkey, and what it is told when it is back."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from saas.kit.metrics import Metrics
from saas.kit.redis import open_client
from saas.ratelimit.decision import Concurrency, Limit, Quota, Rate
from saas.ratelimit.limiter import Limiter, LimitsUnavailable, Subject, Verdict
from saas.ratelimit.revoked import Home
from saas.ratelimit.upkeep import kept_up
from saas.settings import LimitsSettings
from tests.unit.saas.ratelimit.conftest import PATIENT, eventually
from tests.valkey import Valkey

#: As hasty as a busy test machine allows.
HASTY = LimitsSettings(timeout=0.2, failures=1, pause=0.1)
LIMITS: tuple[Limit, ...] = (Rate("minute", 600, 100), Quota("month", 1000, "month"), Concurrency("concurrent", 3))


@dataclass(frozen=True)
class House:
    id: UUID = field(default_factory=uuid4)
    schema: str = "t"
    database: str = "default"


class Ledger:
    """The database's revocations, and how often they were read."""

    def __init__(self) -> None:
        self.rows: dict[UUID, dict[str, datetime]] = {}
        self.read = 0

    async def load(self, tenant: Home) -> Mapping[str, datetime]:
        self.read += 1
        await asyncio.sleep(0.01)
        return dict(self.rows.get(tenant.id, {}))


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=5)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
async def limiter(own_valkey: Valkey, ledger: Ledger) -> AsyncIterator[Limiter]:
    opened = Limiter(own_valkey.url, HASTY, load_revoked=ledger.load, token_lifetime=600)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def client(own_valkey: Valkey) -> AsyncIterator[Redis]:
    opened = open_client(own_valkey.url, 5)
    yield opened
    await opened.aclose()


async def ask(limiter: Limiter, house: House, token: str = "token") -> Verdict:
    verdict = await limiter.check(Subject(house.id, (token,), client="c", counts=True, home=house), LIMITS)
    if verdict.lease:
        limiter.release(verdict.lease)
    return verdict


async def back(limiter: Limiter) -> None:
    """Asked by somebody else, so that nothing of the test's tenant is counted."""
    other, deadline = House(), time.monotonic() + 10
    while (await limiter.check(Subject(other.id), LIMITS[:1])).degraded:
        assert time.monotonic() < deadline, "It did not come back"
        await asyncio.sleep(0.01)


async def test_quotas_and_usage_that_were_counted_alone_are_added_once_it_is_back(
    limiter: Limiter, own_valkey: Valkey, client: Redis
) -> None:
    house = House()
    for _ in range(4):  # one after the other: more than may be under way at once
        verdict = await ask(limiter, house)
        assert (verdict.allowed, verdict.degraded) == (True, False)
        await asyncio.sleep(0.001)  # as long as an answer takes to its client, and the next request back
    own_valkey.pause()
    for _ in range(3):
        assert (await ask(limiter, house)).degraded
    assert limiter.status()
    own_valkey.resume()
    await back(limiter)
    tag = f"{{{house.id.hex}}}"

    async def counted() -> tuple[int, int]:
        quota = str(await client.get(f"{tag}:limit:month"))
        usage: Any = await client.hgetall(f"{tag}:usage")
        requests = sum(int(count) for field, count in usage.items() if field.endswith(b":c:requests"))
        return int(quota.strip("b'").split(":")[1]), requests

    deadline = time.monotonic() + 5
    while min(await counted()) < 7:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    # The pause let calls arrive that nobody waited for any more: they count, too.
    assert max(await counted()) <= 7 + 3
    assert limiter.status() is None


async def test_a_revoked_token_is_refused_while_it_is_gone_and_when_it_comes_back_empty(
    limiter: Limiter, own_valkey: Valkey, ledger: Ledger
) -> None:
    house, other = House(), House()
    ledger.rows[house.id] = {"before": soon()}
    assert (await ask(limiter, house, "good")).allowed
    assert ledger.read == 0  # Valkey is believed
    own_valkey.kill()
    assert (await ask(limiter, house, "before")).revoked
    verdicts = await asyncio.gather(*(ask(limiter, house, "good") for _ in range(50)))
    assert not any(verdict.revoked for verdict in verdicts)
    assert ledger.read == 1  # however many ask
    with pytest.raises(RedisError):
        await limiter.revoke(other.id, "here", soon())
    assert (await ask(limiter, other, "here")).revoked
    own_valkey.start()
    await back(limiter)
    verdicts = await asyncio.gather(*(ask(limiter, house, "before") for _ in range(50)))
    assert all(verdict.revoked and not verdict.degraded for verdict in verdicts)
    ledger.rows.clear()

    async def told() -> bool:
        return bool(await limiter.client.exists(f"{{{other.id.hex}}}:revoked:here"))

    deadline = time.monotonic() + 5
    while not await told():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_where_settings_say_so_nobody_passes_uncounted(own_valkey: Valkey) -> None:
    own_valkey.kill()
    limiter = Limiter(own_valkey.url, HASTY.model_copy(update={"without_valkey": "refuse"}))
    with pytest.raises(LimitsUnavailable) as refused:
        await ask(limiter, House())
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "5"})
    assert "refused" in (limiter.status() or "")
    await limiter.close()


async def test_requests_under_way_are_counted_alone_too(limiter: Limiter, own_valkey: Valkey) -> None:
    own_valkey.kill()
    house = House()
    verdicts = [await limiter.check(Subject(house.id), LIMITS) for _ in range(4)]
    assert [verdict.allowed for verdict in verdicts] == [True] * 3 + [False]
    assert verdicts[0].lease
    limiter.release(verdicts[0].lease)
    assert (await limiter.check(Subject(house.id), LIMITS)).allowed


async def test_leases_are_given_back_many_at_a_time_and_after_an_outage(
    limiter: Limiter, own_valkey: Valkey, client: Redis
) -> None:
    house = House()
    key = f"{{{house.id.hex}}}:limit:concurrent"
    verdicts = [await limiter.check(Subject(house.id), LIMITS) for _ in range(4)]
    assert [verdict.allowed for verdict in verdicts] == [True] * 3 + [False]
    assert await client.zcard(key) == 3
    for verdict in verdicts[:2]:
        assert verdict.lease
        limiter.release(verdict.lease)
    await asyncio.sleep(0)
    deadline = time.monotonic() + 5
    while await client.zcard(key) != 1:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)
    own_valkey.pause()
    await ask(limiter, House())
    assert verdicts[2].lease
    limiter.release(verdicts[2].lease)
    own_valkey.resume()
    await back(limiter)
    while await client.zcard(key):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_processes_that_live_share_the_limits_and_metrics_tell(own_valkey: Valkey, ledger: Ledger) -> None:
    limiters = [Limiter(own_valkey.url, PATIENT, load_revoked=ledger.load) for _ in range(2)]
    metrics = Metrics("7")
    async with (
        kept_up(limiters[0], Metrics("6"), token_lifetime=600),
        kept_up(limiters[1], metrics, token_lifetime=600),
    ):
        assert limiters[1].local.processes == 2
        # Valkey began empty just now: it is told of what is revoked before a token is believed.
        house = House()
        ledger.rows[house.id] = {"token": soon()}
        assert (await ask(limiters[1], house)).revoked
        await ask(limiters[1], House())
        said = metrics.text().decode()
        assert 'saas_limiter_degraded{process="7"} 0.0' in said
        assert 'saas_limiter_checks_total{outcome="charged",process="7"} 1.0' in said
        own_valkey.kill()
        await ask(limiters[1], house)
        await eventually(lambda: limiters[1].counts["local"] + limiters[1].counts["revoked"] > 1)
    for limiter in limiters:
        await limiter.close()
