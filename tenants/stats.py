"""What schemas take of a database: read from the catalog, so it costs the same however large they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_SIZES = text(
    """
    SELECT n.nspname, count(*), coalesce(sum(pg_catalog.pg_stat_get_live_tuples(c.oid)), 0)::bigint,
           coalesce(sum(pg_catalog.pg_total_relation_size(c.oid)), 0)::bigint
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY(:schemas) AND c.relkind IN ('r', 'p')
    GROUP BY n.nspname
    """
)


@dataclass(frozen=True, slots=True)
class Size:
    """`rows` is PostgreSQL's running estimate; `bytes` is on disk, with indexes."""

    tables: int
    rows: int
    bytes: int


async def sizes(session: AsyncSession, schemas: Sequence[str]) -> dict[str, Size]:
    """By schema; those that are not in this database are left out."""
    rows = await session.execute(_SIZES, {"schemas": list(schemas)})
    return {schema: Size(tables, count, size) for schema, tables, count, size in rows}
