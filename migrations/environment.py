"""What both env.py files do: let Alembic compare the models with the revisions.

It does so in a database that is made for the purpose, on the server that is set or the embedded one, so that the
answer does not depend on what state somebody's own database is in.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import asyncpg
from alembic import context
from alembic.operations import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, make_url
from sqlalchemy.ext.asyncio import AsyncSession

from saas.dev import embedded
from saas.settings import Settings
from tenants import provisioning
from tenants.changes import Changes
from tenants.database import Database
from tenants.migrate.render import Scripts
from tenants.migrate.runner import migrate_platform
from tenants.names import Origin
from tenants.registry import Registry

#: Revisions are counted: 0001, 0002. Two people who take the same number notice when they merge.
_DIGITS: Final = 4


def run(scripts: Scripts, metadata: MetaData) -> None:
    """Serve the alembic command that is running. Raises CommandError where it would change a database."""
    schema = scripts.version_table.schema
    if context.is_offline_mode():
        context.configure(dialect_name="postgresql", literal_binds=True, version_table_schema=schema)
        with context.begin_transaction():
            context.run_migrations()
    elif _would_migrate():
        raise CommandError("Databases are migrated by `saas migrate`; with --sql this shows what a revision does")
    else:
        with server() as url:
            asyncio.run(_compare(url, scripts, metadata))


def _configure(connection: Connection, metadata: MetaData, schema: str | None) -> None:
    """Set Alembic up to compare what the connection sees with the models; None leaves the schema to its path."""
    context.configure(
        connection,
        target_metadata=metadata,
        version_table_schema=schema,
        include_schemas=schema is not None,
        include_name=lambda name, kind, _parents: kind != "schema" or name == schema,
        process_revision_directives=_count,
    )
    with context.begin_transaction():
        context.run_migrations()


async def _compare(url: str, scripts: Scripts, metadata: MetaData) -> None:
    async with _migrated(url, scripts) as session:
        connection = await session.connection()
        await connection.run_sync(_configure, metadata, scripts.version_table.schema)


@asynccontextmanager
async def _migrated(url: str, scripts: Scripts) -> AsyncIterator[AsyncSession]:
    """A session on schemas that the revisions have just made, in a database that goes afterwards."""
    name = f"autogenerate_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(url)
    await admin.execute(f'CREATE DATABASE "{name}"')
    database = Database(make_url(url).set(database=name).render_as_string(hide_password=False))
    try:
        await migrate_platform(database)
        if scripts.version_table.schema is not None:
            async with database.platform_session() as session:
                yield session
            return
        registry = Registry(database, Origin.parse("https://example.com"), Changes())
        tenant = await provisioning.create_row(database, registry, slug="model", name="Model", plan="free")
        await provisioning.ensure_schema(database, tenant)
        async with database.tenant_session(tenant) as session:
            yield session
    finally:
        await database.close()
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin.close()


@contextmanager
def server() -> Iterator[str]:
    """The URL of the server that is set, or of the embedded one for the time of the block."""
    settings = Settings()
    if settings.database.url:
        yield settings.database.url
        return
    with embedded(settings.data, valkey=False) as servers:
        yield servers.database_url


def _would_migrate() -> bool:
    try:
        context.get_revision_argument()
    except KeyError:  # only a command that moves to a revision has one
        return False
    return True


def _count(_context: MigrationContext, _revision: object, directives: list[MigrationScript]) -> None:
    head = context.script.get_current_head()
    directives[0].rev_id = f"{int(head or 0) + 1:0{_DIGITS}d}"
