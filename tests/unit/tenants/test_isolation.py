"""No tenant sees another's rows: not by mistake, not under load, not on a connection that served another."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine

from tenants.engine import async_url
from tenants.registry import Tenant
from tests.unit.tenants.conftest import Process

CLIENTS = 64
CONNECTIONS = 4
ROUNDS = 8

Executor = AsyncSession | AsyncConnection
Open = Callable[[Tenant], AbstractAsyncContextManager[Executor]]

_INSERT = text(
    "INSERT INTO projects (id, name, description, status, created_by, created_at, updated_at) "
    "VALUES (gen_random_uuid(), :name, '', 'active', :slug, now(), now())"
)
_SELECT = text("SELECT created_by FROM projects")
_UPDATE = text("UPDATE projects SET description = :slug WHERE name = :name RETURNING created_by")


async def test_tenant_session_sees_its_own_schema_alone(process: Process) -> None:
    ours, theirs = await process.make(), await process.make()
    async with process.database.tenant_session(theirs) as session:
        await session.execute(_INSERT, {"name": "secret", "slug": theirs.slug})
    async with process.database.tenant_session(ours) as session:
        assert (await session.execute(_SELECT)).all() == []
        assert await session.scalar(text("SELECT current_schemas(false)")) == [ours.schema]


async def test_platform_session_has_no_way_to_a_tenants_table(process: Process) -> None:
    await process.make()
    with pytest.raises(ProgrammingError, match="does not exist"):
        async with process.database.platform_session() as session:
            await session.execute(_SELECT)


async def test_missing_schema_fails_and_does_not_fall_back_to_public(process: Process) -> None:
    tenant = await process.make()
    async with process.database.platform_session() as session:
        await session.execute(text("CREATE TABLE IF NOT EXISTS public.projects (created_by text)"))
        await session.execute(text(f'DROP SCHEMA "{tenant.schema}" CASCADE'))
    try:
        for attempt in (process.database.tenant_session(tenant), process.database.platform_session()):
            with pytest.raises(ProgrammingError, match="does not exist"):
                async with attempt as session:
                    await session.execute(_SELECT)
    finally:
        async with process.database.platform_session() as session:
            await session.execute(text("DROP TABLE public.projects"))


async def test_many_clients_on_few_connections_never_see_a_wrong_row(process: Process) -> None:
    tenants = [await process.make(), await process.make()]
    assert await _interleave(process.database.tenant_session, tenants) == 0


async def test_session_level_set_leaks(process: Process, database_url: str) -> None:
    """The negative control: the same load, with the path set on the connection, shows that the test above can fail."""
    tenants = [await process.make(), await process.make()]
    engine = create_async_engine(
        async_url(database_url), pool_size=CONNECTIONS, max_overflow=0, pool_timeout=60, pool_reset_on_return=None
    )

    @asynccontextmanager
    async def naive(tenant: Tenant) -> AsyncIterator[Executor]:
        async with engine.begin() as connection:
            await connection.execute(text(f'SET search_path TO "{tenant.schema}"'))
        async with engine.begin() as connection:
            yield connection

    try:
        assert await _interleave(naive, tenants) > 0
    finally:
        await engine.dispose()


async def _interleave(open_one: Open, tenants: list[Tenant]) -> int:
    """Run all clients at once, reading and writing; returns how many wrong rows they met."""
    wrong = await asyncio.gather(
        *(_client(open_one, tenants[number % len(tenants)], f"p{number}") for number in range(CLIENTS))
    )
    return sum(wrong)


async def _client(open_one: Open, tenant: Tenant, name: str) -> int:
    wrong = 0
    chance = random.Random(name)
    for _ in range(ROUNDS):
        async with open_one(tenant) as session:
            if chance.random() < 0.5:
                await session.execute(_INSERT, {"name": name, "slug": tenant.slug})
            changed = await session.execute(_UPDATE, {"name": name, "slug": tenant.slug})
            await asyncio.sleep(0)
            seen = await session.execute(_SELECT)
            wrong += sum(slug != tenant.slug for (slug,) in [*changed, *seen])
    return wrong
