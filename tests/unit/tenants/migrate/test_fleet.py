"""Several processes migrate at once; any of them may die at any moment."""

import asyncio
import json
import sys
import time
from pathlib import Path

import psutil
import pytest
from sqlalchemy import column, select, table, text

from tenants.migrate import fleet, message, rollout
from tenants.migrate.plan import Behind, behind, readiness
from tenants.migrate.render import Scripts
from tenants.migrate.rollout import migrate_all
from tenants.registry import Tenant
from tenants.statements import Statement
from tests.unit.tenants.conftest import Process
from tests.unit.tenants.migrate.conftest import Many
from tests.unit.tenants.migrate.test_render import write

ROOT = Path(__file__).parents[4]
READ = Statement(select(column("id"), column("name")).select_from(table("projects")))


async def runs(process: Process, tenants: list[Behind]) -> set[tuple[str, int]]:
    """The revisions of the schemas, and how often the second one ran there."""
    found = set()
    for tenant in tenants:
        async with process.database.tenant_session(tenant) as session:
            row = await session.execute(text("SELECT (SELECT version_num FROM alembic_version), count(*) FROM runs"))
            found.add(tuple(row.one()))
    return found


async def gone(pids: list[int]) -> bool:
    """All of them have ended, in time."""
    deadline = time.monotonic() + 10
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


async def test_killed_at_any_moment_a_rerun_finishes_and_does_nothing_twice(
    alone: Process, many: Many, small: Scripts
) -> None:
    tenants = await many(50)
    url = alone.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.unit.tenants.migrate.killed", url, str(small.location)),
        *("me:1", "me:7", "worker:2"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await program.communicate()
    first, second, third, end = map(json.loads, output.splitlines())
    for killed in (first, second, third):
        assert len(killed["workers"]) in {1, 2}
        assert await gone(killed["workers"])
    assert end["failed"] == {}
    assert 0 < end["migrated"] <= 50 - 8  # the killed runs had moved some
    assert await behind(alone.database, small) == []
    assert await runs(alone, tenants) == {("a2", 1)}


async def test_failures_are_told_and_stop_the_run_where_they_are_many(
    alone: Process, many: Many, small: Scripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollout, "_WORTH_A_PROCESS", 1)
    tenants = await many(24)
    for tenant in tenants[3:6]:
        async with alone.database.tenant_session(tenant) as session:
            await session.execute(text("DROP TABLE runs"))
    canary = await migrate_all(alone.database, scripts=small, canaries=[tenants[3].slug], processes=2)
    assert canary.halted == f"the canary {tenants[3].slug} failed"
    assert (canary.migrated, list(canary.failed), canary.left) == ([], [tenants[3].slug], 23)
    few = await migrate_all(alone.database, scripts=small, max_failures=1, processes=1)
    assert few.halted == "more than 1 failed"
    assert few.left >= 24 - 4 - 16
    assert all("runs" in cause for cause in few.failed.values())
    rest = await migrate_all(alone.database, scripts=small, canaries=[tenants[-1].slug], processes=2)
    assert rest.halted is None
    assert set(rest.failed) == {tenant.slug for tenant in tenants[3:6]}
    assert len(few.migrated) + len(rest.migrated) == 21
    assert {tenant.slug for tenant in await behind(alone.database, small)} == set(rest.failed)


async def test_what_the_registry_does_not_know_is_read_from_the_schema(
    alone: Process, many: Many, small: Scripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollout, "_WORTH_A_PROCESS", 1)
    tenants = await many(10)
    assert (await migrate_all(alone.database, scripts=small, processes=2)).failed == {}
    async with alone.database.platform_session() as session:  # as where it commits on its own, and was killed before
        await session.execute(text("UPDATE platform.tenants SET revision = 'a1'"))
    outcome = await migrate_all(alone.database, scripts=small, processes=1)
    assert (len(outcome.migrated), outcome.failed) == (10, {})
    assert await runs(alone, tenants) == {("a2", 1)}
    assert await behind(alone.database, small) == []


async def test_requests_are_served_while_tenants_are_migrated(
    alone: Process, longer: Scripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the code of before, with transactions that take tables in the opposite order of the migration."""
    assert message.TABLE_LOCK_TIMEOUT_MS < 1_000  # the server's deadlock_timeout: the migration gives way, not they
    monkeypatch.setattr(message, "TABLE_LOCK_TIMEOUT_MS", 100)
    monkeypatch.setattr(fleet, "PAUSE", 0.02)
    monkeypatch.setattr(fleet, "ATTEMPTS", 500)
    monkeypatch.setattr(rollout, "_WORTH_A_PROCESS", 1)
    slowly = "op.execute('SELECT pg_sleep(0.03)'); op.add_column('users', sa.Column('colour', sa.Text()))"
    write(longer.location, "9003", "9002", slowly)
    scripts = Scripts(longer.location)
    tenants = [await alone.make() for _ in range(2)]
    done = asyncio.Event()

    async def serve(tenant: Tenant) -> None:
        after = 0
        while after < 3:
            after += done.is_set()
            async with alone.database.tenant_session(tenant) as session:
                await session.execute(text("SELECT id, email FROM users"))
                await asyncio.sleep(0.01)
                await session.execute(text("SELECT id, name FROM projects FOR UPDATE"))
            await alone.database.read_one(tenant, READ)
            await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as group:
        for tenant in tenants:
            group.create_task(serve(tenant))
        outcome = await migrate_all(alone.database, scripts=scripts, processes=2)
        done.set()
    assert (len(outcome.migrated), outcome.failed) == (2, {})
    assert await readiness(alone.database) is None  # ahead of this code is not behind
