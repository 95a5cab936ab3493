"""Hours, days and months, with a clock of the test's own."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest
from redis.exceptions import RedisError
from sqlalchemy import text

from saas.services import Services
from saas.usage.counters import Batch, Counts
from saas.usage.periods import beginning, between, following, projected
from saas.usage.service import Quotas, UsageService, Use, UseBy
from tenants.registry import Tenant

NOW = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)


def at(day: int, hour: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def counts(hour: datetime, client: str, requests: int, refusals: int = 0) -> Counts:
    return Counts(hour, client, {"requests": requests, "refusals": refusals, "would_refuse": 0, "cost": requests})


class Counted:
    """Quotas of which the test says how they stand."""

    def __init__(self, used: dict[str, tuple[int, int]] | None) -> None:
        self._used = used

    async def used(self, tenant: Tenant) -> dict[str, tuple[int, int]]:
        if self._used is None:
            raise RedisError("No answer")
        return self._used


def service(quotas: object = None, now: datetime = NOW) -> UsageService:
    chosen: Quotas = quotas or Counted(None)  # type: ignore[assignment]  # its calendars are any strings
    return UsageService(chosen, timedelta(days=400), clock=lambda: now)


@pytest.mark.parametrize("east", [0, 14])
def test_periods_begin_in_utc_and_follow_each_other(east: int) -> None:
    moment = NOW.astimezone(timezone(timedelta(hours=east)))
    assert [beginning(moment, each) for each in ("hour", "day", "month")] == [at(31, 23), at(31), at(1)]
    assert following(at(1, month=12), "month") == datetime(2027, 1, 1, tzinfo=UTC)
    assert list(between(at(30, 22), at(31, 1), "hour")) == [at(30, 22), at(30, 23), at(31)]
    assert list(between(at(30, 22), at(31, 1), "day")) == [at(30), at(31)]
    assert list(between(at(31, 1, month=1), at(1), "month")) == [at(1, month=1), at(1, month=2)]
    assert list(between(at(2), at(1), "day")) == []


def test_what_goes_on_as_it_went_is_projected() -> None:
    assert projected(100, at(1, 12), "day") == 200
    assert projected(100, at(16, 12), "month") == 200
    assert projected(5, at(1), "day") == 500, "no more than a hundredfold of what has hardly begun"


async def test_hours_are_added_up_by_period_and_client(services: Services, tenant: Tenant) -> None:
    usage = service()
    batch = [
        counts(at(1), "a", 1),
        counts(at(30, 22), "a", 10, 2),
        counts(at(30, 22), "b", 100),
        counts(at(31), "a", 7),
    ]
    async with services.database.tenant_session(tenant) as session:
        assert await usage.enter(session, Batch(uuid4(), batch))
        assert await usage.enter(session, Batch(uuid4(), [counts(at(30, 22), "a", 3), counts(at(28, month=2), "b", 5)]))
        assert await usage.enter(session, Batch(uuid4(), []))
        hours = await usage.hours(session, at(30, 21) + timedelta(minutes=59), at(30, 23))
        assert hours == [(at(30, 21), Use()), (at(30, 22), Use(113, 2, 0, 113))]
        assert await usage.hours(session, at(30, 22), at(31), client="b", resolution="day") == [
            (at(30), Use(100, cost=100))
        ]
        months = await usage.hours(session, at(28, month=2), NOW, resolution="month")
        assert [(each.at, each.use.requests) for each in months] == [(at(1, month=2), 5), (at(1), 121)]
        assert await usage.hours(session, at(31), at(31)) == []
        busiest = await usage.clients(session, at(1), NOW)
        assert busiest == [UseBy("b", Use(100, cost=100)), UseBy("a", Use(21, 2, 0, 21))]
        assert await usage.clients(session, at(1), NOW, limit=1) == busiest[:1]
        assert await usage.clients(session, at(1), NOW, client="a") == busiest[1:]
        assert (await usage.totals(session)).requests == 120, "of thirty days"
        assert [await usage.charged(session, calendar) for calendar in ("day", "month")] == [7, 121]


async def test_quotas_as_they_stand(services: Services, tenant: Tenant) -> None:
    (day, month) = await service(Counted({"month": (1000, 50), "day": (100, 94)}), at(16, 12)).quota(tenant)
    assert day == ("day", 100, 94, 188, at(17))
    assert month == ("month", 1000, 50, 100, at(1, month=4))
    assert [each.calendar for each in await service(Counted({"day": (100, 94)})).quota(tenant)] == ["day"]
    assert await service(Counted(None)).quota(tenant) == []


async def test_old_hours_and_batches_are_deleted_in_pieces(services: Services, tenant: Tenant) -> None:
    old = [counts(NOW - timedelta(days=401, hours=hour), "a", 1) for hour in range(5)]
    kept = [counts(NOW - timedelta(days=399), "a", 1)]
    async with services.database.tenant_session(tenant) as session:
        for days, entries in ((9, old), (8, kept), (7, [])):
            assert await service(now=NOW - timedelta(days=days)).enter(session, Batch(uuid4(), entries))
    deleted: list[int] = []
    while not deleted or deleted[-1] >= 3:
        async with services.database.tenant_session(tenant) as session:
            deleted.append(await service().purge(session, 3))
    assert sum(deleted) == 5 + 2
    async with services.database.tenant_session(tenant) as session:
        assert [each.use.requests for each in await service().clients(session, at(1) - timedelta(days=900), NOW)] == [1]
        left = await session.scalar(text("SELECT max(taken_at) FROM usage_batches"))
        assert left == NOW - timedelta(days=7), "the last one may lie in Valkey still"
