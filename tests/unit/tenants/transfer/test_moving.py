"""A move among processes that know of it, and one that has missed the news."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from saas.dev import Servers
from tenants.database import Database, HasSchema
from tenants.errors import TenancyError, TenantMoving, TenantNotFound, TransferRefused
from tenants.migrate.runner import migrate_platform, migrate_tenant
from tenants.registry import Tenant
from tenants.resolver import Resolver
from tenants.stale import is_stale
from tenants.transfer import journal
from tenants.transfer.copying import schema_exists
from tenants.transfer.journal import Place, drop_old_copies
from tenants.transfer.moving import Mover
from tests.unit.tenants.conftest import Process

WEEK = timedelta(days=7)
WRITE = text(
    "INSERT INTO projects (id, name, description, status, created_by, created_at, updated_at) "
    "VALUES (gen_random_uuid(), :name, '', 'active', 'nobody', now(), now())"
)
READ = text("SELECT name FROM projects ORDER BY name")


@pytest.fixture(scope="module")
async def urls(servers: Servers, database_url: str) -> AsyncIterator[tuple[str, dict[str, str]]]:
    admin = await asyncpg.connect(servers.database_url)
    name = f"away_{secrets.token_hex(4)}"
    await admin.execute(f'CREATE DATABASE "{name}"')
    others = {"eu": servers.database_url.replace("/postgres?", f"/{name}?")}
    database = Database(database_url, others=others)
    await migrate_platform(database)
    await database.close()
    yield database_url, others
    await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await admin.close()


@pytest.fixture
async def processes(urls: tuple[str, dict[str, str]]) -> AsyncIterator[tuple[Process, Process]]:
    """A mover, and a server that does not hear of it."""
    url, others = urls
    both = Process.start(url, others=others), Process.start(url, others=others)
    for process in both:
        process.database.weights["eu"] = 0  # tenants are made at home
    yield both
    for process in both:
        await process.database.close()


async def write(process: Process, tenant: HasSchema, name: str) -> None:
    async with process.database.tenant_session(tenant) as session:
        await session.execute(WRITE, {"name": name})


async def names(process: Process, tenant: HasSchema) -> list[str]:
    async with process.database.tenant_session(tenant) as session:
        return list(await session.scalars(READ))


async def find(process: Process, slug: str) -> Tenant:
    async with process.database.platform_session() as session:
        return await process.registry.get(session, slug)


def mover_of(process: Process) -> Mover:
    return Mover(process.database, process.registry, settle=0)


@pytest.mark.parametrize(("source", "target"), [("default", "eu"), ("eu", "default")])
async def test_who_missed_the_news_waits_and_then_fails_and_writes_nowhere(
    processes: tuple[Process, Process], source: str, target: str
) -> None:
    mover, late = processes
    tenant = await mover.make()
    if source != "default":
        await mover_of(mover).move(tenant.slug, source, WEEK)
        tenant = await find(mover, tenant.slug)
    assert await late.registry.by_slug(tenant.slug) == tenant
    await write(late, tenant, "a")  # prepared on the connection that writes again below
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def write_slowly() -> None:
        async with late.database.tenant_session(tenant) as session:
            await session.execute(WRITE, {"name": "b"})
            begun.set()
            await go_on.wait()

    slow = asyncio.create_task(write_slowly())
    await begun.wait()
    later: list[asyncio.Task[None]] = []

    def told(_session: object, _move: object) -> None:
        later.append(asyncio.create_task(write(late, tenant, "c")))

    moving = asyncio.create_task(
        Mover(mover.database, mover.registry, told=told, settle=0).move(tenant.slug, target, WEEK)
    )
    async with asyncio.timeout(10):
        while (await find(mover, tenant.slug)).status != "moving":
            assert not moving.done()
    assert not moving.done(), "it waits for who has begun to write"
    with pytest.raises(TenantMoving):
        await Resolver(mover.registry, frozenset()).resolve(tenant.host, None)
    go_on.set()
    await slow
    moved = await moving
    assert (moved.how, moved.rows >= 2, moved.pause < 10) == ("moved", True, True)
    for late_write in (later[0], asyncio.create_task(write(late, tenant, "d"))):
        with pytest.raises(ProgrammingError) as error:
            await late_write
        assert is_stale(error.value), "so that the request begins anew, and finds the tenant where it is"
    with pytest.raises(ProgrammingError):
        await names(late, tenant)
    arrived = await find(mover, tenant.slug)
    assert (arrived.database, arrived.status) == (target, "active")
    assert await names(mover, arrived) == ["a", "b"]
    await check_old_copy(mover, arrived, source)


async def check_old_copy(process: Process, tenant: Tenant, source: str) -> None:
    """It is kept, and then dropped, but not before its time."""
    async with process.database.platform_session() as session:
        known = [
            each for each in await journal.list_moves(session) if (each.slug, each.source) == (tenant.slug, source)
        ]
        mine = text("SELECT id FROM platform.transfers WHERE tenant_id = :id AND source = :source")
        move_id = await session.scalar(mine, {"id": tenant.id, "source": source})
    assert [each.state for each in known] == ["done"]
    kept = Place(tenant.id, f"moved_{move_id.hex}", source)
    assert await drop_old_copies(process.database) == 0
    assert await names(process, kept) == ["a", "b"]
    async with process.database.platform_session() as session:
        await session.execute(
            text("UPDATE platform.transfers SET drop_at = now() WHERE tenant_id = :id"), {"id": tenant.id}
        )
    assert await drop_old_copies(process.database) >= 1
    with pytest.raises(ProgrammingError):
        await names(process, kept)


async def test_what_fails_is_undone_and_says_so(processes: tuple[Process, Process]) -> None:
    process, other = processes
    tenant = await process.make()
    await write(process, tenant, "a")

    def fail(_session: object, _move: object) -> None:
        raise TenancyError("The disk is full")

    with pytest.raises(TransferRefused, match=r"rolled back: it is served as before\. The disk is full"):
        await Mover(process.database, process.registry, told=fail, settle=0).move(tenant.slug, "eu", WEEK)
    assert await find(process, tenant.slug) == tenant
    assert await names(process, tenant) == ["a"]
    with pytest.raises(ProgrammingError):
        await names(process, Place(tenant.id, tenant.schema, "eu"))
    async with process.database.tenant_session(tenant) as session:
        await session.execute(text("ALTER TABLE projects ADD COLUMN colour text"))
    with pytest.raises(TransferRefused, match=r"projects\.colour should not exist"):
        await mover_of(other).move(tenant.slug, "eu", WEEK)
    assert (await find(process, tenant.slug)).status == "active"


async def test_no_migration_makes_the_schema_anew_where_it_was(processes: tuple[Process, Process]) -> None:
    """One that began with the tenant's old address."""
    mover, late = processes
    for source, target in (("default", "eu"), ("eu", "default")):
        tenant = await mover.make()
        if source != "default":
            await mover_of(mover).move(tenant.slug, source, WEEK)
            tenant = await find(mover, tenant.slug)
        await mover_of(mover).move(tenant.slug, target, WEEK)
        with pytest.raises(TenantNotFound):
            await migrate_tenant(late.database, tenant)
        async with late.database.platform_session(source) as session:
            assert not await schema_exists(session, tenant.schema)
