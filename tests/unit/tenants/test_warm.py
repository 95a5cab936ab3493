"""The pool of schemas that are ready before a tenant wants them."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from tenants import provisioning, warm
from tenants.database import Database
from tenants.errors import HostTaken
from tenants.migrate.render import TENANT
from tenants.migrate.runner import migrate_platform
from tenants.registry import Tenant
from tests.unit.tenants.conftest import Process, Statements, new_slug


@pytest.fixture
async def alone(empty_database: Database) -> AsyncIterator[Process]:
    """A process on a database of its own, whose pool nobody else fills."""
    process = Process.start(empty_database.engine.url.render_as_string(hide_password=False))
    await migrate_platform(process.database)
    yield process
    await process.database.close()


async def fill(process: Process, size: int) -> int:
    """How many things that took."""
    done = 0
    while await warm.refill(process.database, "default", size):
        done += 1
    return done


async def pooled(process: Process) -> dict[str, str | None]:
    """Revisions by schema."""
    async with process.database.platform_session() as session:
        rows = await session.execute(text("SELECT schema, revision FROM platform.schema_pool"))
        return {schema: revision for schema, revision in rows}  # noqa: C416 - a Row is no tuple to the type checker


async def schemas(process: Process) -> set[str]:
    async with process.database.platform_session() as session:
        return set(
            await session.scalars(text("SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname LIKE 't\\_%'"))
        )


async def row(process: Process) -> Tenant:
    return await provisioning.create_row(
        process.database, process.registry, slug=new_slug(), name="X", plan="free", domain=None
    )


async def test_a_tenant_takes_a_schema_that_is_ready(alone: Process) -> None:
    assert await fill(alone, 2) == 2
    ready = await pooled(alone)
    assert ready == dict.fromkeys(await schemas(alone), TENANT.head)
    tenant = await row(alone)
    assert (tenant.schema, tenant.revision) == (f"t_{tenant.id.hex}", TENANT.head)
    assert (await pooled(alone)).keys() == ready.keys() - {tenant.schema}
    asked = Statements(alone)
    await provisioning.ensure_schema(alone.database, tenant)
    assert asked.count == 0
    async with alone.database.tenant_session(tenant) as session:
        assert await provisioning.activate(session, tenant)
        assert await session.scalar(text("SELECT count(*) FROM projects")) == 0
    assert await fill(alone, 2) == 1


async def test_several_at_once_take_one_each_and_the_rest_make_theirs(alone: Process) -> None:
    await fill(alone, 2)
    tenants = await asyncio.gather(*(row(alone) for _ in range(4)))
    assert [tenant.revision for tenant in tenants].count(TENANT.head) == 2
    assert len({tenant.schema for tenant in tenants}) == 4
    assert await pooled(alone) == {}
    for tenant in tenants:
        await provisioning.ensure_schema(alone.database, tenant)
    assert await schemas(alone) == {tenant.schema for tenant in tenants}


async def test_one_at_a_time_fills_the_pool(alone: Process) -> None:
    await asyncio.gather(*(fill(alone, 2) for _ in range(2)))
    await fill(alone, 2)
    assert len(await pooled(alone)) == 2
    assert (await pooled(alone)).keys() == await schemas(alone)


async def test_what_nobody_takes_is_dropped(alone: Process) -> None:
    await fill(alone, 3)
    stale, abandoned, ahead = sorted(await pooled(alone))
    async with alone.database.platform_session() as session:
        for schema, revision in ((stale, "0001"), (abandoned, None), (ahead, "9001")):
            await session.execute(
                text("UPDATE platform.schema_pool SET revision = :revision WHERE schema = :schema"),
                {"schema": schema, "revision": revision},
            )
    assert (await row(alone)).revision is None  # none of them is for a tenant of this release
    assert await warm.discard_stale(alone.database) == 2
    assert await pooled(alone) == {ahead: "9001"}  # that of a later release counts, and is left to it
    assert await schemas(alone) == {ahead}
    assert await fill(alone, 1) == 0
    assert await fill(alone, 2) == 1


async def test_a_creation_that_fails_gives_the_schema_back(alone: Process) -> None:
    taken = await alone.make(plan="pro", domain="login.taken.example")
    await fill(alone, 1)
    ready = await pooled(alone)
    with pytest.raises(HostTaken):
        await provisioning.create_row(
            alone.database, alone.registry, slug=new_slug(), name="X", plan="pro", domain=taken.domains[0]
        )
    assert await pooled(alone) == ready
