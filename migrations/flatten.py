"""`python -m migrations.flatten`: what a new tenant's schema is made with, from what the revisions make (see flat.py).

They run in a transaction that is rolled back, and the catalog says what came of them: columns in their order,
constraints and indexes. Rows that revisions insert are inserted by the same statements.
"""

import asyncio
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from migrations.environment import server
from tenants.database import Database
from tenants.migrate.flat import FILE, dump
from tenants.migrate.render import TENANT, Scripts
from tenants.migrate.runner import execute_script, lock

_COLUMNS: Final = text("""
SELECT c.relname, format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod))
    || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
    || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relname <> 'alembic_version'
ORDER BY c.relname, a.attnum
""")
_CONSTRAINTS: Final = text("""
SELECT c.relname, format('CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)), f.relname
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_class f ON f.oid = k.confrelid
WHERE c.relnamespace = current_schema()::regnamespace AND k.contype <> 'n' AND c.relname <> 'alembic_version'
ORDER BY c.relname, k.contype DESC, k.conname
""")
_INDEXES: Final = text("""
SELECT c.relname, replace(pg_get_indexdef(i.indexrelid), format('%I.', current_schema()), '')
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relnamespace = current_schema()::regnamespace
    AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
ORDER BY c.relname, i.indexrelid::regclass::text
""")


@dataclass(frozen=True, slots=True)
class _Scratch:
    schema: str = "flatten"
    database: str = "default"


async def flatten(database: Database, scripts: Scripts = TENANT) -> str:
    """The content of the tree's flat.sql. Nothing in the database changes."""
    scratch = _Scratch()
    statements = [statement for step in scripts.steps for statement in step.statements]
    async with database.tenant_session(scratch) as session:
        await lock(session, scratch.schema)
        await execute_script(session, f"CREATE SCHEMA {scratch.schema};" + "\n".join(statements))
        tables = await _tables(session)
        await session.rollback()
    return dump(scripts, [*tables, *(statement for statement in statements if statement.startswith("INSERT "))])


async def _tables(session: AsyncSession) -> list[str]:
    """CREATE statements, in the order of the foreign keys."""
    parts: dict[str, list[str]] = {}
    needs: dict[str, set[str]] = {}
    indexes: dict[str, list[str]] = {}
    for table, column in await session.execute(_COLUMNS):
        parts.setdefault(table, []).append(column)
    for table, constraint, needed in await session.execute(_CONSTRAINTS):
        parts[table].append(constraint)
        needs.setdefault(table, set()).update({needed} - {None, table})
    for table, index in await session.execute(_INDEXES):
        indexes.setdefault(table, []).append(f"{index};")
    order = TopologicalSorter({table: sorted(needs.get(table, ())) for table in parts}).static_order()
    made: list[str] = []
    for table in order:
        made.append(f"CREATE TABLE {table} (\n    " + ",\n    ".join(parts[table]) + "\n);")
        made += indexes.get(table, [])
    return made


async def _write() -> None:
    with server() as url:
        database = Database(url)
        try:
            (TENANT.location / FILE).write_text(await flatten(database))
        finally:
            await database.close()


if __name__ == "__main__":
    asyncio.run(_write())
