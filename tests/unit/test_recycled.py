"""A schema that was given back is as good as a new one, or nobody gets it."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from saas.dev import Servers
from saas.services import Services
from tenants.base import new_id
from tenants.database import HasSchema
from tenants.errors import TenantNotFound
from tenants.migrate.drift import Catalog, describe
from tenants.migrate.runner import make_schema
from tenants.names import schema_name
from tenants.registry import Tenant
from tenants.warm import Pooled
from tests.conftest import MakeTenant
from tests.recycled import Connection, Recycler
from tests.unit.saas.side import furnish

_CHANGES = [
    "CREATE TABLE added (id bigint)",
    "CREATE VIEW added AS SELECT name FROM users",
    "CREATE FUNCTION added() RETURNS bigint LANGUAGE sql RETURN 1",
    "CREATE TYPE added AS ENUM ('a')",
    "CREATE INDEX added ON users (name)",
    "ALTER TABLE users ADD COLUMN added text",
    "ALTER TABLE users ADD COLUMN added text; ALTER TABLE users DROP COLUMN added",
    "ALTER TABLE users ALTER COLUMN name SET DEFAULT ''",
    "ALTER TABLE users ALTER COLUMN name TYPE varchar(9)",
    "ALTER TABLE users ALTER COLUMN name DROP NOT NULL",
    "ALTER TABLE users DROP CONSTRAINT users_email_key",
    "ALTER TABLE users RENAME name TO added",
    "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
    "DROP TABLE projects CASCADE",
    "CREATE TABLE same AS TABLE projects; DROP TABLE projects CASCADE; ALTER TABLE same RENAME TO projects",
    "UPDATE alembic_version SET version_num = '0001'",
    "DROP TABLE alembic_version",
    "UPDATE platform.tenants SET status = 'suspended' WHERE schema = current_schema()",
    "UPDATE platform.tenants SET revision = '0001' WHERE schema = current_schema()",
    "UPDATE platform.tenants SET database = 'second' WHERE schema = current_schema()",
    "DELETE FROM platform.tenants WHERE schema = current_schema()",
]
_LATE = text(
    "INSERT INTO projects (id, name, description, status, created_by, created_at, updated_at) "
    "VALUES (gen_random_uuid(), 'Late', '', 'active', '', now(), now())"
)


@pytest.fixture(scope="module")
async def connection(servers: Servers, make_tenant: MakeTenant) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(servers.database_url)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def recycler(connection: Connection) -> Recycler:
    return await Recycler.open(connection)


async def look(services: Services, place: HasSchema) -> tuple[Catalog, dict[str, list[str]]]:
    """The structure of a schema, and the rows of each of its tables."""
    async with services.database.tenant_session(place) as session:
        catalog = await describe(session)
        tables = {part.table for part in catalog.parts}
        return catalog, {
            table: list(await session.scalars(text(f"SELECT row_to_json(t)::text FROM {table} AS t")))
            for table in tables
        }


async def name_of(connection: Connection, oid: int) -> str:
    return str(await connection.fetchval("SELECT nspname FROM pg_catalog.pg_namespace WHERE oid = $1", oid))


async def waiting(connection: Connection) -> set[str]:
    return {row["schema"] for row in await connection.fetch("SELECT schema FROM platform.schema_pool")}


async def test_nobody_can_tell_it_from_a_new_one(
    services: Services,
    app: FastAPI,
    make_tenant: MakeTenant,
    recycler: Recycler,
    connection: Connection,
) -> None:
    tenant = await make_tenant()
    oid = await connection.fetchval("SELECT to_regnamespace($1)::oid", tenant.schema)
    side = await furnish(services, app, tenant)
    await side.browser.http.aclose()
    assert sum(map(bool, (await look(services, tenant))[1].values())) > 12
    assert await recycler.give_back(tenant)

    name = await name_of(connection, oid)
    assert name != tenant.schema
    assert name in await waiting(connection)
    identity = new_id()
    new = Pooled(identity, schema_name(identity), "default")
    async with services.database.tenant_session(new) as session:
        await make_schema(session, new.schema)
    catalog, rows = await look(services, new)
    assert await look(services, Pooled(identity, name, "default")) == (catalog, rows)
    assert {table for table in rows if rows[table]} == {"alembic_version", "audit_head"}
    async with services.database.platform_session() as session:
        with pytest.raises(TenantNotFound):
            await services.registry.get(session, tenant.slug)


@pytest.mark.parametrize("change", _CHANGES)
async def test_what_is_not_as_it_was_made_stays_where_it_is(
    tenant: Tenant, recycler: Recycler, connection: Connection, change: str
) -> None:
    await connection.execute(f"BEGIN; SET LOCAL search_path TO {tenant.schema}; {change}; COMMIT")
    registered = "SELECT count(*) FROM platform.tenants WHERE id = $1"
    before = await connection.fetchval(registered, tenant.id)
    assert not await recycler.give_back(tenant)
    assert await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", tenant.schema)
    assert await connection.fetchval(registered, tenant.id) == before
    assert tenant.schema not in await waiting(connection)
    # Others list all tenants, and could not say what this one is.
    await connection.execute("DELETE FROM platform.tenants WHERE id = $1", tenant.id)


async def test_what_is_in_use_stays_where_it_is(services: Services, tenant: Tenant, recycler: Recycler) -> None:
    async with services.database.tenant_session(tenant) as session:
        await session.execute(_LATE)
        assert not await recycler.give_back(tenant)
    assert (await look(services, tenant))[1]["projects"]
    assert await recycler.give_back(tenant)
