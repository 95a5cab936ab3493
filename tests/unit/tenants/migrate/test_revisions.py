"""The revisions make what the models say: compared by the catalog, and by Alembic as those who write migrations do."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import AsyncSession

from migrations import metadata
from tenants.base import PLATFORM_SCHEMA
from tenants.database import Database
from tenants.migrate.render import PLATFORM, TENANT
from tenants.migrate.runner import migrate_platform
from tests.unit.tenants.conftest import Process

ROOT = Path(__file__).parents[4]

#: Everything about a schema's tables that a revision can get wrong; names of the schema itself are taken out.
_CATALOG = """
SELECT c.relname, 'column', a.attname,
       format('%s %s %s', format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE n.nspname = :schema AND c.relkind = 'r'
UNION ALL
SELECT c.relname, 'constraint', k.conname, replace(pg_get_constraintdef(k.oid), n.nspname || '.', '')
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :schema
UNION ALL
SELECT tablename, 'index', indexname, replace(indexdef, schemaname || '.', '')
FROM pg_indexes WHERE schemaname = :schema
"""


async def catalog(session: AsyncSession, schema: str) -> set[tuple[Any, ...]]:
    await session.execute(text("SET LOCAL search_path TO pg_catalog"))
    rows = await session.execute(text(_CATALOG), {"schema": schema})
    return {tuple(row) for row in rows if row[0] != "alembic_version"}


async def test_tenant_revisions_make_what_the_models_say(process: Process) -> None:
    migrated, modelled = await process.make(), await process.make()
    async with process.database.tenant_session(modelled) as session:
        await session.execute(text(f'DROP SCHEMA "{modelled.schema}" CASCADE'))
        await session.execute(text(f'CREATE SCHEMA "{modelled.schema}"'))
        await (await session.connection()).run_sync(metadata.TENANT.create_all)
        expected = await catalog(session, modelled.schema)
        assert await catalog(session, migrated.schema) ^ expected == set()
        assert len(expected) > 50


async def test_platform_revisions_make_what_the_models_say(empty_database: Database) -> None:
    await migrate_platform(empty_database)
    async with empty_database.platform_session() as session:
        migrated = await catalog(session, PLATFORM_SCHEMA)
        await session.execute(text("DROP SCHEMA platform CASCADE"))
        await session.execute(text("CREATE SCHEMA platform"))
        await (await session.connection()).run_sync(metadata.PLATFORM.create_all)
        assert migrated ^ await catalog(session, PLATFORM_SCHEMA) == set()


@pytest.mark.parametrize("tree", [metadata.PLATFORM, metadata.TENANT], ids=["platform", "tenant"])
def test_models_follow_the_rules_that_shared_schemas_force(tree: MetaData) -> None:
    for table in tree.tables.values():
        assert table.primary_key.columns, table.name
        assert table.schema == (PLATFORM_SCHEMA if tree is metadata.PLATFORM else None), table.name
        for column in table.columns:
            assert str(column.type) not in {"INTEGER", "SMALLINT"}, column
            assert type(column.type).__name__ != "Enum", column
            assert column.server_default is None, column
        for key in table.foreign_keys:
            assert key.constraint is not None
            assert key.constraint.name, key
            assert not key.deferrable, key
            assert key.column.table.schema == table.schema, key


async def test_downgrades_undo_what_upgrades_did(process: Process) -> None:
    tenant = await process.make()
    async with process.database.tenant_session(tenant) as session:
        connection = await session.connection()
        before = await catalog(session, tenant.schema)
        await session.execute(text(f'SET LOCAL search_path TO "{tenant.schema}"'))
        await connection.run_sync(_run, lambda module: module.downgrade, reverse=True)
        assert await catalog(session, tenant.schema) == set()
        await session.execute(text(f'SET LOCAL search_path TO "{tenant.schema}"'))
        await connection.run_sync(_run, lambda module: module.upgrade)
        assert await catalog(session, tenant.schema) == before


def test_the_registry_cannot_be_downgraded_away() -> None:
    first = next(iter(ScriptDirectory(str(PLATFORM.location)).walk_revisions(head="0001")))
    with pytest.raises(NotImplementedError, match="drop the database"):
        first.module.downgrade()


@pytest.mark.parametrize("tree", ["platform", "tenant"])
async def test_alembic_finds_nothing_to_add(tree: str, database_url: str) -> None:
    environment = {**os.environ, "SAAS_DATABASE_URL": database_url}
    check = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alembic", "-n", tree, "check"),
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await check.communicate()
    assert (check.returncode, b"No new upgrade operations" in output) == (0, True), output.decode()


def _run(connection: Connection, which: Callable[[Any], Callable[[], None]], *, reverse: bool = False) -> None:
    scripts = list(ScriptDirectory(str(TENANT.location)).walk_revisions())
    with Operations.context(MigrationContext.configure(connection)):
        for script in scripts if reverse else reversed(scripts):
            which(script.module)()
