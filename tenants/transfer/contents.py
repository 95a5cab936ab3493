"""What a tenant's schema holds: its tables in an order in which they can be filled, and a fingerprint of their rows."""

from collections.abc import Collection
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.engine import quote_identifier

_VERSION: Final = "alembic_version"

#: The session's forms of values, so that the same rows are the same text in every database.
FORMS: Final = (
    "SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL TimeZone = 'UTC'; "
    "SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'"
)

_COLUMNS: Final = text("""
SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
       EXISTS (SELECT FROM pg_catalog.pg_index i
               WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY(i.indkey))
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema())
AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY 1, 2
""")
_REFERENCES: Final = text("""
SELECT c.relname::text, r.relname::text FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_class r ON r.oid = k.confrelid
WHERE k.contype = 'f' AND r.oid <> c.oid
AND c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema())
""")


@dataclass(frozen=True, slots=True)
class Table:
    """`columns` by name, with their types; `key` are those of the primary key."""

    name: str
    columns: dict[str, str]
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """How many rows, and what they hold whatever their order: the sums of both halves of the rows' MD5, which finds
    what went wrong on the way. It is no proof against somebody who means it."""

    rows: int
    digest: str


async def tables_of(session: AsyncSession) -> list[Table]:
    """The tables of the schema that the search path begins with, those first that others refer to."""
    columns: dict[str, dict[str, str]] = {}
    keys: dict[str, list[str]] = {}
    for table, column, kind, in_key in await session.execute(_COLUMNS):
        columns.setdefault(table, {})[column] = kind
        if in_key:
            keys.setdefault(table, []).append(column)
    columns.pop(_VERSION, None)
    graph: dict[str, set[str]] = {table: set() for table in columns}
    for table, referred in await session.execute(_REFERENCES):
        graph[table].add(referred)
    return [Table(name, columns[name], tuple(keys.get(name, ()))) for name in TopologicalSorter(graph).static_order()]


async def fingerprint(session: AsyncSession, table: str, columns: Collection[str]) -> Fingerprint:
    """Of what these columns hold, as the transaction sees them, in the forms of `FORMS`."""
    row = f"ROW({', '.join(map(quote_identifier, sorted(columns)))})::text"
    halves = (f"coalesce(sum(('x' || substr(h, {start}, 16))::bit(64)::bigint::numeric), 0)::text" for start in (1, 17))
    rows = f"SELECT md5({row}) AS h FROM {quote_identifier(table)}"  # noqa: S608 - names of the catalog, quoted
    query = f"SELECT count(*), {', '.join(halves)} FROM ({rows}) AS hashed"  # noqa: S608 - as above
    count, first, second = (await session.execute(text(query.replace(":", r"\:")))).one()
    return Fingerprint(count, f"{first}/{second}")
