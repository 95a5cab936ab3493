"""Apply rendered revisions: one transaction a schema, which moves its `alembic_version` and the registry together."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID

import asyncpg
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.base import PLATFORM_SCHEMA
from tenants.database import Database, quote_identifier
from tenants.errors import SchemaBusy, TenancyError, TenantNotFound
from tenants.migrate.plan import Behind, behind
from tenants.migrate.render import PLATFORM, TENANT, Scripts, Step
from tenants.models import TenantRow

#: How long a migration waits for who uses the schema. Those who come after it wait behind it, so it is short.
LOCK_TIMEOUT_MS: Final = 5_000
_LOCK_NOT_AVAILABLE: Final = "55P03"


class Target(Protocol):
    """A tenant, as far as a migration has to know it."""

    @property
    def id(self) -> UUID: ...
    @property
    def schema(self) -> str: ...


@dataclass(slots=True)
class Outcome:
    """What `migrate_all` did: slugs that were moved, and those that failed with the cause."""

    migrated: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


async def migrate_platform(database: Database, scripts: Scripts = PLATFORM) -> tuple[str, ...]:
    """Bring the platform's schema to the head, making it where there is none; returns the revisions applied.

    Raises SchemaBusy and InvalidRevision.
    """
    async with database.platform_session() as session:
        await lock(session, PLATFORM_SCHEMA)
        steps = await _advance(session, PLATFORM_SCHEMA, scripts)
    return tuple(step.revision for step in steps)


async def migrate_tenant(database: Database, tenant: Target, scripts: Scripts = TENANT) -> tuple[str, ...]:
    """Bring a tenant's schema to the head, making it where there is none; returns the revisions applied.

    The schema's own version decides what runs, read under its lock, so that nothing runs twice. Raises SchemaBusy,
    InvalidRevision, and TenantNotFound where the tenant is being deleted: its schema must not rise again.
    """
    async with database.tenant_session(tenant) as session:
        await lock(session, tenant.schema)
        steps = await _advance(session, tenant.schema, scripts)
        registered = await session.scalar(
            update(TenantRow)
            .where(TenantRow.id == tenant.id, TenantRow.status != "deleting")
            .values(revision=scripts.head)
            .returning(TenantRow.id)
        )
        if registered is None:
            raise TenantNotFound(f"There is no tenant with the schema {tenant.schema}, or it is being deleted")
    return tuple(step.revision for step in steps)


async def migrate_all(
    database: Database,
    on_progress: Callable[[Behind, int, int], None] | None = None,
    scripts: Scripts = TENANT,
) -> Outcome:
    """Bring every tenant that is behind to the head, one after the other; one that fails does not stop the rest.

    `on_progress(tenant, done, total)` is called after each. Where nobody is behind this is one SELECT.
    """
    outcome = Outcome()
    tenants = await behind(database, scripts)
    for done, tenant in enumerate(tenants, start=1):
        try:
            await migrate_tenant(database, tenant, scripts)
            outcome.migrated.append(tenant.slug)
        except (asyncpg.PostgresError, DBAPIError, TenancyError) as error:
            outcome.failed[tenant.slug] = str(getattr(error, "orig", None) or error)
        if on_progress is not None:
            on_progress(tenant, done, len(tenants))
    return outcome


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
    """Send several statements in one message, in the session's transaction. Raises SchemaBusy."""
    connection = await (await session.connection()).get_raw_connection()
    driver = connection.driver_connection
    if not isinstance(driver, asyncpg.Connection):
        raise TypeError("The engine was not made by tenants.database")
    try:
        await driver.execute(script)
    except asyncpg.LockNotAvailableError as error:
        raise SchemaBusy("The schema is in use and did not become free: run this again") from error


async def _advance(session: AsyncSession, schema: str, scripts: Scripts) -> tuple[Step, ...]:
    version = scripts.version_table.fullname
    await execute_script(
        session,
        f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(schema)};"
        f"CREATE TABLE IF NOT EXISTS {version} "
        "(version_num varchar(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))",
    )
    steps = scripts.after(await session.scalar(select(scripts.version_table)))
    if steps:
        statements = [statement for step in steps for statement in step.statements]
        move = f"DELETE FROM {version}; INSERT INTO {version} VALUES ('{scripts.head}')"  # noqa: S608 - checked names
        await execute_script(session, "\n".join((*statements, move)))
    return steps
