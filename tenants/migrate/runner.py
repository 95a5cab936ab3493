"""Apply rendered revisions: one transaction a schema, which moves its `alembic_version` and the registry together."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol
from uuid import UUID

import asyncpg
from sqlalchemy import ColumnElement, func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.base import PLATFORM_SCHEMA
from tenants.database import Database
from tenants.errors import SchemaBusy, TenantNotFound
from tenants.migrate.flat import steps_from_nothing
from tenants.migrate.message import ATTEMPTS, LOCK_TIMEOUT_MS, PAUSE, TABLE_LOCK_TIMEOUT_MS, script_of
from tenants.migrate.render import PLATFORM, TENANT, Scripts, Step
from tenants.models import TenantRow
from tenants.schemas import check_created, creation

_LOCK_NOT_AVAILABLE: Final = "55P03"


class TablesBusy(SchemaBusy):
    """Requests use the tables: they go first, and the migration tries again."""


class Target(Protocol):
    """A tenant, as far as a migration has to know it."""

    @property
    def id(self) -> UUID: ...
    @property
    def schema(self) -> str: ...
    @property
    def database(self) -> str: ...


async def migrate_platform(database: Database, scripts: Scripts = PLATFORM) -> tuple[str, ...]:
    """Bring the platform's schema of every database to the head, making it where there is none.

    Returns the revisions applied anywhere. Raises SchemaBusy and InvalidRevision.
    """
    applied: set[str] = set()
    for name in database.names:
        applied.update(await _patiently(partial(_migrate_platform_once, database, name, scripts)))
    return tuple(step.revision for step in scripts.steps if step.revision in applied)


async def migrate_tenant(
    database: Database, tenant: Target, scripts: Scripts = TENANT, target: str | None = None
) -> tuple[str, ...]:
    """Bring a tenant's schema to `target` (None: the head), making it where there is none; returns what was applied.

    The schema's own version decides what runs, read under its lock, so that nothing runs twice; one that is beyond
    `target` stays there. It waits a few seconds for requests, in short turns, so that nobody waits long behind it.
    Raises SchemaBusy, InvalidRevision, and TenantNotFound where the tenant is being deleted or moved, or is in another
    database by now: its schema must not rise again.
    """
    return await _patiently(partial(_migrate_once, database, tenant, scripts, target))


async def _patiently(migrate: Callable[[], Awaitable[tuple[str, ...]]]) -> tuple[str, ...]:
    """Requests go first: try again where they have the tables."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await migrate()
        except TablesBusy:
            await asyncio.sleep(PAUSE)
    return await migrate()


async def _migrate_platform_once(database: Database, name: str, scripts: Scripts) -> tuple[str, ...]:
    async with database.platform_session(name) as session:
        await lock(session, PLATFORM_SCHEMA)
        return tuple(step.revision for step in await _advance(session, PLATFORM_SCHEMA, scripts))


async def _migrate_once(database: Database, tenant: Target, scripts: Scripts, target: str | None) -> tuple[str, ...]:
    async with database.registry_and_schema(tenant) as (registry, session):
        if not database.shares_registry(tenant):  # who deletes it waits for this: its schema must not rise again
            mine = select(TenantRow.id).where(*_is_there(tenant))
            _check_found(await registry.scalar(mine.with_for_update()), tenant)
        await lock(session, tenant.schema)
        steps = await _advance(session, tenant.schema, scripts, target)
        registered = await registry.scalar(
            update(TenantRow)
            .where(*_is_there(tenant))
            .values(revision=await session.scalar(select(scripts.version_table)))
            .returning(TenantRow.id)
        )
        _check_found(registered, tenant)
    return tuple(step.revision for step in steps)


def _is_there(tenant: Target) -> tuple[ColumnElement[bool], ...]:
    """Elsewhere, the schema would be made anew: where the tenant was before it was moved, say."""
    away = TenantRow.status.in_(("deleting", "moving"))
    return TenantRow.id == tenant.id, ~away, TenantRow.database == tenant.database


def _check_found(tenant_id: UUID | None, tenant: Target) -> None:
    if tenant_id is None:
        raise TenantNotFound(f"There is no tenant with the schema {tenant.schema}, or it is being deleted or moved")


async def make_schema(session: AsyncSession, schema: str, scripts: Scripts = TENANT, target: str | None = None) -> None:
    """A schema at `target` (None: the head) for nobody yet, or one that is there moved on, in a transaction on its
    database. Raises SchemaBusy and InvalidRevision."""
    await lock(session, schema)
    await _advance(session, schema, scripts, target)


async def lock(session: AsyncSession, subject: str) -> None:
    """Be the only one who works on `subject` (a schema, say) until this transaction ends. Raises SchemaBusy."""
    await session.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"))
    try:
        await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(subject, 0))))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            raise SchemaBusy(f"Another process is changing {subject}: run this again") from error
        raise


async def execute_script(session: AsyncSession, script: str) -> None:
    """Send several statements in one message, in the session's transaction, which `lock` has begun. Raises SchemaBusy.

    Before a session's first statement there is no transaction: what is sent then would be committed at once.
    """
    connection = await (await session.connection()).get_raw_connection()
    driver = connection.driver_connection
    if not isinstance(driver, asyncpg.Connection):
        raise TypeError("The engine was not made by tenants.database")
    try:
        await driver.execute(script)
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
        raise TablesBusy("The schema is in use and did not become free: run this again") from error


async def _advance(session: AsyncSession, schema: str, scripts: Scripts, target: str | None = None) -> tuple[Step, ...]:
    version = scripts.version_table.fullname
    await execute_script(
        session,
        f"{creation(session, schema)}"
        f"CREATE TABLE IF NOT EXISTS {version} "
        "(version_num varchar(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));"
        f"SET LOCAL lock_timeout = {TABLE_LOCK_TIMEOUT_MS}",
    )
    revision = await session.scalar(select(scripts.version_table))
    if revision is None:
        await check_created(session, schema)
    from_nothing = revision is None and target in {None, scripts.head}
    steps = steps_from_nothing(scripts) if from_nothing else scripts.between(revision, target)
    if steps:
        move = f"DELETE FROM {version}; INSERT INTO {version} VALUES ('{steps[-1].revision}')"  # noqa: S608 - checked
        await execute_script(session, f"{script_of(steps)}\n{move}")
    return steps
