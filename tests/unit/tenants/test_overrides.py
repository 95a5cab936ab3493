import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from tenants.base import utc_now
from tenants.errors import InvalidPlan, TenantNotFound
from tenants.overrides import clear_overrides, ends_at, in_force, list_overrides, set_overrides
from tests.unit.tenants.conftest import Process, Statements, new_slug


async def test_a_cached_tenant_has_more_until_the_moment_that_was_said(process: Process) -> None:
    made = await process.make()
    ends = utc_now() + timedelta(seconds=1.5)
    async with process.database.platform_session() as session:
        await set_overrides(session, made.slug, {"burst": "x2", "requests_per_month": "none"}, ends)
        await set_overrides(session, made.slug, {"users": "7"}, None)
    found = await process.registry.by_slug(made.slug)
    assert found is not None
    assert (found.plan.burst, found.plan.users, found.plan_until) == (2 * made.plan.burst, 7, ends)
    statements, seen = Statements(process), []
    while found == await process.registry.by_slug(made.slug):
        assert utc_now() < ends + timedelta(seconds=1)
        seen.append(statements.count)
        await asyncio.sleep(0.01)
    assert utc_now() >= ends
    assert set(seen) == {0}  # nobody asked before it was over
    after = await process.registry.by_slug(made.slug)
    assert after is not None
    assert (after.plan.burst, after.plan.users, after.plan_until) == (made.plan.burst, 7, None)
    assert after.plan.requests_per_month == made.plan.requests_per_month
    async with process.database.platform_session() as session:
        assert [each.field for each in await clear_overrides(session, made.slug, ["burst"])] == ["users"]
        stored = text("SELECT overrides FROM platform.tenants WHERE slug = :slug")
        assert list(await session.scalar(stored, {"slug": made.slug})) == ["users"]  # the others went, being over
        assert await clear_overrides(session, made.slug) == ()
    assert await process.registry.by_slug(made.slug) == made


async def test_overrides_end_by_the_clock_of_the_database(
    start: Callable[[], Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = start()
    made = await late.make()
    async with late.database.platform_session() as session:
        await set_overrides(session, made.slug, {"burst": "999"}, utc_now() + timedelta(seconds=1))
    monkeypatch.setattr("tenants.registry.utc_now", lambda: utc_now() - timedelta(minutes=5))
    deadline = time.monotonic() + 2
    burst: list[int] = []
    while not burst or burst[-1] == 999:
        assert time.monotonic() < deadline
        found = await late.registry.by_slug(made.slug)
        burst.append(0 if found is None else found.plan.burst)
        await asyncio.sleep(0.01)
    assert (burst[0], burst[-1]) == (999, made.plan.burst)


async def test_an_override_stays_with_the_tenant_when_its_plan_changes(process: Process) -> None:
    made = await process.make(plan="free")
    async with process.database.platform_session() as session:
        assert len(await set_overrides(session, made.slug, {"projects": "x2"}, None)) == 1
        assert (await process.registry.get(session, made.slug)).plan.projects == 20
        assert (await process.registry.set_plan(session, made.slug, "pro")).plan.projects == 2000
        assert [each.value for each in await list_overrides(session, made.slug)] == ["x2"]


async def test_what_cannot_be_is_refused(process: Process) -> None:
    made = await process.make()
    async with process.database.platform_session() as session:
        with pytest.raises(InvalidPlan, match="is over"):
            await set_overrides(session, made.slug, {"burst": "2"}, utc_now() - timedelta(seconds=5))
        with pytest.raises(InvalidPlan, match="between"):
            await set_overrides(session, made.slug, {"burst": "0"}, None)
        for refused in (
            set_overrides(session, new_slug(), {"burst": "2"}, None),
            clear_overrides(session, new_slug()),
            list_overrides(session, new_slug()),
        ):
            with pytest.raises(TenantNotFound, match="saas tenants list"):
                await refused
    assert await process.registry.by_slug(made.slug) == made


def test_what_a_later_release_stored_is_passed_over() -> None:
    now = utc_now()
    soon, later = (now + timedelta(hours=hours) for hours in (1, 2))
    stored = {"seats": ("5", None), "burst": ("5", later.isoformat()), "users": ("5", soon.isoformat())}
    found = in_force(stored, now)
    assert [each.field for each in found] == ["burst", "users"]
    assert ends_at(found) == soon
    assert in_force(stored, later) == ()
