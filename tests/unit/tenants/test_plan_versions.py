from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from tenants.base import PLATFORM_SCHEMA
from tenants.database import Database
from tenants.errors import InvalidPlan, PlanNotFound
from tenants.migrate.render import PLATFORM, Scripts
from tenants.migrate.runner import migrate_platform
from tenants.plan_versions import find_plan, history, list_plans, set_plan
from tests.unit.tenants.conftest import Process, new_slug

NEW = {"requests_per_minute": "5", "burst": "1", "requests_per_day": "50"}


@pytest.fixture
async def name(process: Process) -> AsyncIterator[str]:
    """A plan at its first version, away after the test."""
    name = new_slug()
    async with process.database.platform_session() as session:
        await set_plan(session, name, NEW)
    yield name
    async with process.database.platform_session() as session:
        await session.execute(text("DELETE FROM platform.tenants WHERE plan = :name"), {"name": name})
        await session.execute(text("DELETE FROM platform.plans WHERE name = :name"), {"name": name})


async def test_each_change_makes_a_version_and_leaves_those_before(process: Process, name: str) -> None:
    async with process.database.platform_session() as session:
        second = await set_plan(session, name, {"users": "3", "features": "audit-export"})
        assert await set_plan(session, name, {"users": "3"}) == second
    async with process.database.platform_session() as session:
        first, newest = await find_plan(session, name, 1), await find_plan(session, name)
        assert (first.version, first.users, first.features) == (1, None, frozenset())
        assert (newest.version, newest.users, newest.features) == (2, 3, frozenset({"audit-export"}))
        assert (newest.requests_per_minute, newest.burst, newest.requests_per_day) == (5, 1, 50)
        assert newest in await list_plans(session)
        assert [each.plan for each in await history(session, name)] == [newest, first]
        repeated = text("SELECT burst FROM platform.plans WHERE name = :name")
        await set_plan(session, name, {"burst": "x3"})
        assert await session.scalar(repeated, {"name": name}) == 3


async def test_what_cannot_be_a_plan_is_refused(process: Process, name: str) -> None:
    async with process.database.platform_session() as session:
        for plan, changes, says in (
            (new_slug(), {"requests_per_minute": "5"}, "burst and requests a day"),
            ("No!", NEW, "name"),
            (name, {"burst": "0"}, "between"),
        ):
            with pytest.raises(InvalidPlan, match=says):
                await set_plan(session, plan, changes)
        for version in (0, 2, 2**70):
            with pytest.raises(PlanNotFound, match="history"):
                await find_plan(session, name, version)
        with pytest.raises(PlanNotFound, match="choose one of"):
            await history(session, "gold")


async def test_tenants_follow_their_plan_unless_they_are_pinned(process: Process, name: str) -> None:
    follower, pinned = await process.make(plan=name), await process.make(plan=name)
    assert await process.registry.by_slug(follower.slug) == follower
    async with process.database.platform_session() as session:
        stays = await process.registry.set_plan(session, pinned.slug, name, version=1)
        assert (stays.plan, stays.plan_pinned) == (follower.plan, True)
        await set_plan(session, name, {"burst": "7"})
    followed = await process.registry.by_slug(follower.slug)
    assert followed is not None
    assert (followed.plan.burst, followed.plan.version, followed.plan_pinned) == (7, 2, False)
    assert await process.registry.by_slug(pinned.slug) == stays
    async with process.database.platform_session() as session:
        await set_plan(session, name, {"burst": "9"}, keep_tenants=True)
        assert [(each.plan.version, each.tenants, each.pinned) for each in await history(session, name)] == [
            (3, 0, 0),
            (2, 1, 1),
            (1, 1, 1),
        ]
        assert (await process.registry.set_plan(session, pinned.slug, name)).plan.burst == 9
        with pytest.raises(PlanNotFound, match="no version 12"):
            await process.registry.set_plan(session, pinned.slug, name, version=12)


async def test_what_the_release_before_had_becomes_the_first_version(empty_database: Database) -> None:
    """A plan as it was delivered gets its caps; one that its operator made or changed gets none."""
    before = Scripts(PLATFORM.location, PLATFORM_SCHEMA)
    before.steps = PLATFORM.between(None, "0005")
    await migrate_platform(empty_database, before)
    async with empty_database.platform_session() as session:
        await session.execute(text("UPDATE platform.plans SET burst = 11 WHERE name = 'free'"))
        await session.execute(
            text("INSERT INTO platform.plans SELECT 'own', 7, 7, 7, now(), now() FROM platform.plans LIMIT 1")
        )
    await migrate_platform(empty_database)
    async with empty_database.platform_session() as session:
        own, free, pro, enterprise = await list_plans(session)
    assert (own.name, own.requests_per_day, own.users, own.version) == ("own", 7, None, 1)
    assert (free.burst, free.projects) == (11, None)
    assert (pro.burst, pro.projects, sorted(pro.features)) == (60, 1000, ["custom-domains"])
    assert enterprise.features == {"audit-export", "custom-domains"}
