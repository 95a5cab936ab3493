"""Schemas that are ready before a tenant wants them: to take one is a row, to make one is a few dozen tables.

The registry's `schema_pool` lists them, for every database. A row without a revision is of a schema that is being made
or dropped: who finds one while nobody works on the pool finds what was left half-way, and drops it.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Update, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.base import new_id
from tenants.database import Database
from tenants.engine import quote_identifier
from tenants.migrate.render import TENANT, Scripts
from tenants.migrate.runner import execute_script, lock, make_schema
from tenants.models import PooledSchemaRow
from tenants.names import schema_name


@dataclass(frozen=True, slots=True)
class Pooled:
    """A schema without a tenant. Its id becomes the tenant's."""

    id: UUID
    schema: str
    database: str


async def take(session: AsyncSession, name: str, scripts: Scripts = TENANT) -> Pooled | None:
    """A schema at the head in the database `name`, for the tenant that this transaction of the registry adds.

    None where the pool has none. Nobody waits for another: what someone else is about to take is passed over.
    """
    ready = (
        select(PooledSchemaRow.id)
        .where(PooledSchemaRow.database == name, PooledSchemaRow.revision == scripts.head)
        .order_by(PooledSchemaRow.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = (
        await session.execute(
            delete(PooledSchemaRow)
            .where(PooledSchemaRow.id == ready.scalar_subquery())
            .returning(PooledSchemaRow.id, PooledSchemaRow.schema, PooledSchemaRow.database)
            .execution_options(synchronize_session=False)
        )
    ).one_or_none()
    return None if row is None else Pooled(*row)


async def refill(database: Database, name: str, size: int, scripts: Scripts = TENANT) -> bool:
    """Do one thing for the pool of the database `name`: drop a schema that nobody will take, or make one.

    False where there is nothing to do (`size` are ready), or somebody else is at it. Stopped on the way, the next call
    clears up. A schema of a later release counts as ready: its own release has begun to fill the pool.
    """
    async with database.platform_session() as held:
        # Held until this block ends, by a transaction that does nothing else.
        key = func.hashtextextended(f"the pool of {name}", 0)
        if not await held.scalar(select(func.pg_try_advisory_xact_lock(key))):
            return False
        useless = or_(PooledSchemaRow.revision.is_(None), PooledSchemaRow.revision.in_(scripts.older))
        columns = (PooledSchemaRow.id, PooledSchemaRow.schema, PooledSchemaRow.database)
        found = (await held.execute(select(*columns).where(PooledSchemaRow.database == name, useless).limit(1))).first()
        if found is not None:
            await _drop(database, Pooled(*found))
            return True
        ready = await held.scalar(select(func.count()).where(PooledSchemaRow.database == name))
        if (ready or 0) >= size:
            return False
        await _make(database, name, scripts)
        return True


async def discard_stale(database: Database, scripts: Scripts = TENANT) -> int:
    """Drop the schemas that are at an older revision than the head; returns how many. The worker makes new ones."""
    dropped = 0
    for name in database.names:
        while await refill(database, name, 0, scripts):
            dropped += 1
    return dropped


async def _make(database: Database, name: str, scripts: Scripts) -> None:
    identity = new_id()
    pooled = Pooled(identity, schema_name(identity), name)
    async with database.platform_session() as session:
        session.add(PooledSchemaRow(id=pooled.id, schema=pooled.schema, database=name))
    async with database.tenant_session(pooled) as session:
        await make_schema(session, pooled.schema, scripts)
    async with database.platform_session() as session:
        await session.execute(_row(pooled).values(revision=scripts.head))


async def _drop(database: Database, pooled: Pooled) -> None:
    async with database.platform_session() as session:
        marked = await session.scalar(_row(pooled).values(revision=None).returning(PooledSchemaRow.id))
    if marked is None:  # a tenant took it
        return
    async with database.tenant_session(pooled) as session:
        await lock(session, pooled.schema)
        await execute_script(session, f"DROP SCHEMA IF EXISTS {quote_identifier(pooled.schema)} CASCADE")
    async with database.platform_session() as session:
        await session.execute(delete(PooledSchemaRow).where(PooledSchemaRow.id == pooled.id))


def _row(pooled: Pooled) -> Update:
    return update(PooledSchemaRow).where(PooledSchemaRow.id == pooled.id)
