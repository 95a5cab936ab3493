import asyncio
import time

import asyncpg
import pytest
from sqlalchemy import text

from tenants import provisioning
from tenants.database import Database
from tenants.errors import InvalidRevision, SchemaBusy, TenantNotFound, TenantNotReady
from tenants.migrate import runner
from tenants.migrate.flat import steps_from_nothing
from tenants.migrate.plan import Behind, behind, platform_is_behind, platform_revision, readiness
from tenants.migrate.render import PLATFORM, TENANT, Scripts
from tenants.migrate.rollout import Outcome, migrate_all
from tenants.migrate.runner import migrate_platform, migrate_tenant
from tenants.registry import Tenant
from tenants.resolver import Resolver
from tests.unit.tenants.conftest import Process, Statements, new_slug


async def _revision(process: Process, tenant: Tenant) -> tuple[str | None, str | None]:
    """What the schema says, and what the registry says."""
    async with process.database.tenant_session(tenant) as session:
        registered = (await process.registry.get(session, tenant.slug)).revision
        return await session.scalar(text("SELECT version_num FROM alembic_version")), registered


async def _register(process: Process, tenant: Tenant, *, status: str, revision: str | None) -> None:
    async with process.database.platform_session() as session:
        await session.execute(
            text("UPDATE platform.tenants SET status = :status, revision = :revision WHERE id = :id"),
            {"status": status, "revision": revision, "id": tenant.id},
        )


async def test_platform_is_made_from_nothing_once(empty_database: Database) -> None:
    assert await platform_revision(empty_database) is None
    assert await platform_is_behind(empty_database)
    assert await readiness(empty_database) is not None
    applied = await asyncio.gather(*(migrate_platform(empty_database) for _ in range(4)))
    assert sorted(applied) == [(), (), (), tuple(step.revision for step in PLATFORM.steps)]
    assert await platform_revision(empty_database) == PLATFORM.head
    assert await readiness(empty_database) is None
    async with empty_database.platform_session() as session:
        assert await session.scalar(text("SELECT count(*) FROM platform.plans")) == 3
        assert await session.scalar(text("SELECT value FROM platform.epoch")) == 0


async def test_tenant_is_migrated_once_by_many(process: Process) -> None:
    tenant = await provisioning.create_row(process.database, process.registry, slug=new_slug(), name="X", plan="free")
    applied = await asyncio.gather(*(migrate_tenant(process.database, tenant) for _ in range(4)))
    assert sorted(applied) == [(), (), (), tuple(step.revision for step in steps_from_nothing(TENANT))]
    assert await _revision(process, tenant) == (TENANT.head, TENANT.head)


async def test_everyone_who_is_behind_is_moved(alone: Process, longer: Scripts) -> None:
    tenants = [await alone.make() for _ in range(3)]
    await provisioning.create_row(alone.database, alone.registry, slug="unfinished", name="X", plan="free")
    assert await behind(alone.database) == []
    waiting = await behind(alone.database, longer)
    assert {tenant.slug for tenant in waiting} == {tenant.slug for tenant in tenants}
    assert {tenant.revision for tenant in waiting} == {TENANT.head}
    seen: list[tuple[int, int]] = []

    def on_progress(_tenant: Behind, done: int, total: int) -> None:
        seen.append((done, total))

    outcome = await migrate_all(alone.database, on_progress, longer)
    assert outcome.migrated == [tenant.slug for tenant in waiting]
    assert outcome.failed == {}
    assert seen == [(1, 3), (2, 3), (3, 3)]
    for tenant in tenants:
        assert await _revision(alone, tenant) == ("9002", "9002")
    statements = Statements(alone)
    assert await migrate_all(alone.database, on_progress, longer) == Outcome()
    assert statements.count == 1
    assert await behind(alone.database) == []  # ahead of this code is not behind
    assert await readiness(alone.database) is None
    with pytest.raises(InvalidRevision, match="9002"):
        await migrate_tenant(alone.database, tenants[0])


async def test_one_failure_leaves_its_schema_whole_and_stops_nobody(alone: Process, longer: Scripts) -> None:
    tenants = sorted([await alone.make() for _ in range(3)], key=lambda tenant: tenant.slug)
    async with alone.database.tenant_session(tenants[1]) as session:
        await session.execute(text("CREATE INDEX projects_colour_idx ON projects (name)"))
    outcome = await migrate_all(alone.database, scripts=longer)
    assert outcome.migrated == [tenants[0].slug, tenants[2].slug]
    assert list(outcome.failed) == [tenants[1].slug]
    assert "projects_colour_idx" in outcome.failed[tenants[1].slug]
    async with alone.database.tenant_session(tenants[1]) as session:
        columns = await session.execute(text("SELECT * FROM projects"))
        assert "colour" not in columns.keys()  # noqa: SIM118 - a result is no mapping
        await session.execute(text("DROP INDEX projects_colour_idx"))
    assert await _revision(alone, tenants[1]) == (TENANT.head, TENANT.head)
    assert (await migrate_all(alone.database, scripts=longer)).migrated == [tenants[1].slug]


async def test_readiness_counts_who_is_behind(alone: Process) -> None:
    made = await alone.make()
    await _register(alone, made, status="active", revision=TENANT.steps[0].revision)
    assert await readiness(alone.database) == "1 of the tenants' schemas are behind: run `saas migrate`"
    assert (await migrate_all(alone.database)).migrated == [made.slug]  # its schema was not: the registry learns
    assert await readiness(alone.database) is None


async def test_busy_schema_is_reported_and_left(
    process: Process, monkeypatch: pytest.MonkeyPatch, longer: Scripts
) -> None:
    for name, value in (("LOCK_TIMEOUT_MS", 50), ("TABLE_LOCK_TIMEOUT_MS", 50), ("ATTEMPTS", 2), ("PAUSE", 0)):
        monkeypatch.setattr(runner, name, value)
    tenant = await process.make()
    async with process.database.tenant_session(tenant) as session:
        await session.execute(text("SELECT count(*) FROM projects"))
        with pytest.raises(SchemaBusy, match="again"):
            await migrate_tenant(process.database, tenant, longer)
    async with process.database.platform_session() as session:
        await runner.lock(session, tenant.schema)
        with pytest.raises(SchemaBusy, match="again"):
            await migrate_tenant(process.database, tenant, longer)
    assert await _revision(process, tenant) == (TENANT.head, TENANT.head)


async def test_schema_of_a_tenant_being_deleted_does_not_rise_again(process: Process, database_url: str) -> None:
    tenant = await process.make()
    async with process.database.platform_session() as session:
        await session.execute(text(f'DROP SCHEMA "{tenant.schema}" CASCADE'))
    await _register(process, tenant, status="deleting", revision=None)
    with pytest.raises(TenantNotFound):
        await migrate_tenant(process.database, tenant)
    connection = await asyncpg.connect(database_url)
    assert not await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", tenant.schema)
    await connection.close()


async def test_a_tenant_that_is_behind_waits_and_the_others_are_served(alone: Process) -> None:
    made, other = await alone.make(), await alone.make()
    resolver = Resolver(alone.registry, frozenset())
    await _register(alone, made, status="active", revision=TENANT.steps[0].revision)
    alone.changes.received(b"")  # as where this process starts now
    assert (await resolver.resolve(other.host, None)).id == other.id
    with pytest.raises(TenantNotReady, match="this release"):
        await resolver.resolve(made.host, None)
    await migrate_tenant(alone.database, made)
    deadline = time.monotonic() + 10
    while True:  # nobody is told, yet it is soon noticed
        try:
            assert (await resolver.resolve(made.host, None)).revision == TENANT.head
            break
        except TenantNotReady:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)


async def test_few_that_cannot_be_migrated_do_not_stop_a_process_from_serving(alone: Process) -> None:
    row = "INSERT INTO platform.tenants"
    row += " (id, slug, name, host, schema, database, plan, status, revision, created_at, updated_at)"
    row += " SELECT gen_random_uuid(), 'm' || n, 'X', n || '.example', 't_' || n, 'default', 'free', 'active',"
    row += " CASE WHEN n <= :behind THEN '0001' ELSE :head END, now(), now() FROM generate_series(1, 200) n"
    async with alone.database.platform_session() as session:
        await session.execute(text(row), {"behind": 3, "head": TENANT.head})
    assert "3 of the tenants" in (await readiness(alone.database) or "")
    async with alone.database.platform_session() as session:
        done = text("UPDATE platform.tenants SET revision = :head WHERE slug = 'm1'")
        await session.execute(done, {"head": TENANT.head})
    assert await readiness(alone.database) is None
