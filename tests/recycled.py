"""Tenants' schemas that go from test to test: to empty one takes a tenth of the time to make one.

Who gets such a schema cannot tell it from a new one, and who had it cannot reach it any more: its name and its tenant's
id are new. What still remembers the former tenant (a cache, a task, another process) finds no schema, as after a
deletion. A schema that is not as it was made, or is in use, stays where it is, and nobody gets it.
"""

from contextlib import suppress
from typing import Final, Self, TypeAlias

import asyncpg

from tenants.base import new_id
from tenants.database import DEFAULT
from tenants.engine import quote_identifier
from tenants.migrate.flat import steps_from_nothing
from tenants.migrate.message import TABLE_LOCK_TIMEOUT_MS
from tenants.migrate.render import TENANT
from tenants.names import schema_name
from tenants.registry import Tenant

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

#: Of the schema on the search path: how many rows of the catalog describe it, how many transactions wrote these, and
#: the revision. DDL adds rows, takes some away, or writes them anew: it cannot leave all of that as it was.
_STRUCTURE: Final = """
WITH relations AS MATERIALIZED (
    SELECT oid, xmin FROM pg_catalog.pg_class WHERE relnamespace = current_schema()::regnamespace
)
SELECT count(*), count(DISTINCT xmin::text), (SELECT string_agg(version_num, ' ') FROM alembic_version) FROM (
    SELECT xmin FROM relations
    UNION ALL SELECT xmin FROM pg_catalog.pg_attribute WHERE attrelid IN (SELECT oid FROM relations)
    UNION ALL SELECT xmin FROM pg_catalog.pg_attrdef WHERE adrelid IN (SELECT oid FROM relations)
    UNION ALL SELECT xmin FROM pg_catalog.pg_constraint WHERE conrelid IN (SELECT oid FROM relations)
    UNION ALL SELECT xmin FROM pg_catalog.pg_index WHERE indrelid IN (SELECT oid FROM relations)
    UNION ALL SELECT xmin FROM pg_catalog.pg_policy WHERE polrelid IN (SELECT oid FROM relations)
    UNION ALL SELECT xmin FROM pg_catalog.pg_rewrite WHERE ev_class IN (SELECT oid FROM relations)
    UNION ALL SELECT xmin FROM pg_catalog.pg_trigger WHERE tgrelid IN (SELECT oid FROM relations)
    UNION ALL SELECT xmin FROM pg_catalog.pg_depend
        WHERE refclassid = 'pg_catalog.pg_namespace'::regclass AND refobjid = current_schema()::regnamespace
) AS parts
"""
_TABLES: Final = """
SELECT relname FROM pg_catalog.pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND relname <> 'alembic_version' ORDER BY relname
"""
#: What else the registry has of the tenant goes with its row.
_END: Final = """
DELETE FROM platform.tenants
WHERE id = $1 AND schema = $2 AND database = $3 AND revision = $4 AND status = 'active' RETURNING true
"""
_POOL: Final = """
INSERT INTO platform.schema_pool (id, schema, database, revision, created_at, updated_at)
VALUES ($1, $2, $3, $4, now(), now())
"""
#: Somebody uses the schema, or a table of it is gone.
_IN_THE_WAY: Final = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.UndefinedTableError)


class _NotAsMade(Exception):
    """Undoes the transaction."""


class Recycler:
    """Gives schemas to the pool of those that wait for a tenant, from where `onboard` takes them."""

    def __init__(self, connection: Connection, tables: list[str], made: asyncpg.Record | None) -> None:
        """`tables` are those of a schema, but for its revision's; `made` is the structure of a new one."""
        self._connection = connection
        self._made = made
        names = [quote_identifier(table) for table in tables]
        made_with = [line for step in steps_from_nothing(TENANT) for line in step.statements]
        self._lock = f"LOCK TABLE {', '.join(names)}"
        self._empty = " ".join(
            [
                "SET LOCAL session_replication_role = replica;",  # no foreign key is looked at
                *[f"DELETE FROM {name};" for name in names],
                "SET LOCAL session_replication_role = origin;",
                *[line for line in made_with if line.startswith("INSERT INTO ")],
            ]
        )

    @classmethod
    async def open(cls, connection: Connection) -> Self:
        """What waits in the pool of the `connection`'s database shows what a new schema is. One at least has to."""
        schema = await connection.fetchval("SELECT schema FROM platform.schema_pool WHERE revision = $1", TENANT.head)
        async with connection.transaction():
            await connection.execute(f"SET LOCAL search_path TO {quote_identifier(schema)}")
            tables = [row["relname"] for row in await connection.fetch(_TABLES)]
            return cls(connection, tables, await connection.fetchrow(_STRUCTURE))

    async def give_back(self, tenant: Tenant) -> bool:
        """End the tenant and put its schema into the pool, or leave both as they are: then False."""
        with suppress(_NotAsMade, *_IN_THE_WAY):
            async with self._connection.transaction():
                await self._give_back(tenant)
            return True
        return False

    async def _give_back(self, tenant: Tenant) -> None:
        """Raises _NotAsMade and those of _IN_THE_WAY."""
        run, schema = self._connection, quote_identifier(tenant.schema)
        await run.execute(
            f"SET LOCAL search_path TO {schema}; SET LOCAL lock_timeout = {TABLE_LOCK_TIMEOUT_MS};"
            f"SELECT pg_advisory_xact_lock(hashtextextended('{tenant.schema}', 0))"  # who makes, changes or drops it
        )
        ended = await run.fetchval(_END, tenant.id, tenant.schema, DEFAULT, TENANT.head)
        # Who still writes is waited for; who comes while this waits, or later, finds no schema of that name.
        await run.execute(self._lock)
        if not ended or await run.fetchrow(_STRUCTURE) != self._made:
            raise _NotAsMade
        identity = new_id()
        name = schema_name(identity)
        await run.execute(f"{self._empty} ALTER SCHEMA {schema} RENAME TO {quote_identifier(name)}")
        await run.execute(_POOL, identity, name, DEFAULT, TENANT.head)
