"""Two databases: where tenants go, and that each is found, changed, migrated and removed where it is."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from saas.dev import Servers
from tenants import provisioning
from tenants.changes import Changes, mark_changed
from tenants.database import Database
from tenants.errors import DatabaseNotFound, NoDatabaseOpen, TenantNotFound
from tenants.migrate.plan import readiness
from tenants.migrate.render import PLATFORM, TENANT
from tenants.migrate.runner import migrate_platform, migrate_tenant
from tenants.placement import occupancy, place
from tenants.registry import Registry, Tenant
from tests.unit.tenants.conftest import ORIGIN, Process, new_slug

_SCHEMAS = text("SELECT count(*) FROM pg_namespace WHERE nspname = :schema")
_EPOCH = text("SELECT value FROM platform.epoch")


@pytest.fixture(scope="module")
async def urls(servers: Servers) -> AsyncIterator[list[str]]:
    """Two databases with nothing in them."""
    admin = await asyncpg.connect(servers.database_url)
    names = [new_slug(), new_slug()]
    for name in names:
        await admin.execute(f'CREATE DATABASE "{name}"')
    yield [servers.database_url.replace("/postgres?", f"/{name}?") for name in names]
    for name in names:
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await admin.close()


@pytest.fixture(scope="module")
async def process(urls: list[str]) -> AsyncIterator[Process]:
    process = _start(urls[0], {"eu": urls[1]})
    assert await migrate_platform(process.database) == tuple(step.revision for step in PLATFORM.steps)
    yield process
    await process.database.close()


@pytest.fixture(scope="module")
async def tenants(process: Process) -> dict[str, Tenant]:
    """An active tenant on each database."""
    return {name: await _make(process, name) for name in process.database.names}


def _start(url: str, others: Mapping[str, str]) -> Process:
    changes = Changes()
    database = Database(url, others=others, pool_size=2, on_commit=changes.committed)
    return Process(database, changes, Registry(database, ORIGIN, changes), [], [])


async def _make(process: Process, on: str) -> Tenant:
    slug = new_slug()
    made = await provisioning.create_row(process.database, process.registry, slug=slug, name=slug, plan="free", on=on)
    await provisioning.ensure_schema(process.database, made)
    async with process.database.registry_and_schema(made) as (registry, _schema):
        assert await provisioning.activate(registry, made)
    async with process.database.platform_session() as session:
        return await process.registry.get(session, slug)


async def _has(process: Process, name: str, schema: str) -> bool:
    async with process.database.platform_session(name) as session:
        return bool(await session.scalar(_SCHEMAS, {"schema": schema}))


async def test_each_schema_is_in_its_own_database(process: Process, tenants: dict[str, Tenant]) -> None:
    assert await migrate_platform(process.database) == ()
    for name, tenant in tenants.items():
        assert (tenant.database, tenant.revision, tenant.status) == (name, TENANT.head, "active")
        assert [await _has(process, other, tenant.schema) for other in tenants] == [other == name for other in tenants]
        async with process.database.tenant_session(tenant) as session:
            assert await session.scalar(text("SELECT count(*) FROM projects")) == 0
    assert await readiness(process.database) is None


async def test_a_change_counts_the_epoch_of_its_own_database(process: Process, tenants: dict[str, Tenant]) -> None:
    other = Changes()
    heard: list[UUID | None] = []
    for name in process.database.names:
        async with process.database.platform_session(name) as session:
            await other.poll(session, name)
    other.listen(heard.append)
    before = await _epochs(process)
    async with process.database.tenant_session(tenants["eu"]) as session:
        mark_changed(session, tenants["eu"].id)
    after = await _epochs(process)
    assert [new - old for old, new in zip(before, after, strict=True)] == [0, 1]
    for name, expected in (("default", []), ("eu", [None]), ("eu", [None])):
        async with process.database.platform_session(name) as session:
            await other.poll(session, name)
        assert heard == expected


async def _epochs(process: Process) -> list[int]:
    found = []
    for name in process.database.names:
        async with process.database.platform_session(name) as session:
            found.append(int(await session.scalar(_EPOCH) or 0))
    return found


async def test_new_tenants_go_where_there_is_room_for_their_weight(
    process: Process, tenants: dict[str, Tenant]
) -> None:
    assert set(tenants) == {"default", "eu"}
    async with process.database.platform_session() as session:
        assert await place(session, {"default": 1, "eu": 1}) == "default"
        assert await place(session, {"default": 1, "eu": 3}) == "eu"
        assert await place(session, {"default": 1, "eu": 0}) == "default"
        with pytest.raises(NoDatabaseOpen, match="SAAS_DATABASE_WEIGHTS"):
            await place(session, {"default": 0, "eu": 0})


async def test_databases_are_listed_without_their_passwords(
    process: Process, tenants: dict[str, Tenant], urls: list[str]
) -> None:
    found = await occupancy(process.database)
    assert [(each.name, each.tenants, each.weight) for each in found] == [("default", 1, 1), ("eu", 1, 1)]
    for each, tenant, url in zip(found, tenants.values(), urls, strict=True):
        assert each.size is not None
        assert each.size > 1_000_000
        assert each.host.endswith(url.partition("?")[0].rpartition("/")[2])
        assert tenant.database == each.name


async def test_a_database_that_is_not_set_is_told_as_such(process: Process, urls: list[str]) -> None:
    with pytest.raises(DatabaseNotFound, match="SAAS_DATABASES__MARS"):
        await _make(process, "mars")
    with pytest.raises(DatabaseNotFound, match="SAAS_DATABASES__MARS"):
        Database(urls[0], weights={"mars": 1})


async def test_one_that_does_not_answer_leaves_the_others_served(urls: list[str], process: Process) -> None:
    async with _without_answer(urls[0]) as lame:
        assert await readiness(lame) is None
        home, away = await occupancy(lame)
        assert home.problem is None
        assert away.problem
    assert process.database.names == ("default", "eu")


@asynccontextmanager
async def _without_answer(url: str) -> AsyncIterator[Database]:
    database = Database(url, others={"eu": "postgresql://nobody@127.0.0.1:1/none"}, pool_size=1)
    try:
        yield database
    finally:
        await database.close()


async def test_a_migration_that_the_registry_missed_is_noticed(process: Process) -> None:
    """Killed between the two commits: the schema is there, and the registry learns of it from the next run."""
    tenant = await _make(process, "eu")
    await _set(process, tenant, "revision = NULL")
    assert await migrate_tenant(process.database, tenant) == ()
    async with process.database.platform_session() as session:
        assert (await process.registry.get(session, tenant.slug)).revision == TENANT.head
    await _remove(process, tenant)


async def test_what_is_deleted_is_gone_where_it_was_and_does_not_rise_again(process: Process) -> None:
    tenant = await _make(process, "eu")
    await _set(process, tenant, "status = 'deleting'")
    async with process.database.platform_session("eu") as session:
        await session.execute(text(f'DROP SCHEMA "{tenant.schema}" CASCADE'))
    with pytest.raises(TenantNotFound):
        await migrate_tenant(process.database, tenant)
    assert not await _has(process, "eu", tenant.schema)
    await _remove(process, tenant)


async def _set(process: Process, tenant: Tenant, assignment: str) -> None:
    async with process.database.platform_session() as session:
        await session.execute(text(f"UPDATE platform.tenants SET {assignment} WHERE id = :id"), {"id": tenant.id})


async def _remove(process: Process, tenant: Tenant) -> None:
    async def nothing(_tenant_id: object) -> None:
        """Nothing lies outside the database."""

    await provisioning.delete(process.database, tenant.slug, purge=nothing)
    assert not await _has(process, "eu", tenant.schema)
