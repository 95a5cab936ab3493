"""On which database a new tenant goes, and what each of them holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import asyncpg
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.database import Database
from tenants.errors import NoDatabaseOpen
from tenants.models import TenantRow

_PORT: Final = 5432


@dataclass(frozen=True, slots=True)
class Occupancy:
    """One database. `tenants` are those that the registry places there, whatever their status; `size` is in bytes.

    `host` is without a password. `problem` says why a database could not be looked at; `size` is None then.
    """

    name: str
    host: str
    tenants: int
    weight: int
    size: int | None
    problem: str | None = None


async def place(session: AsyncSession, weights: Mapping[str, int]) -> str:
    """The database that is emptiest for its weight: the least tenants a weight, in a transaction on the registry.

    Raises NoDatabaseOpen where every weight is 0.
    """
    open_ones = {name: weight for name, weight in weights.items() if weight}
    if not open_ones:
        raise NoDatabaseOpen("No database takes new tenants: give one a weight in SAAS_DATABASE_WEIGHTS")
    # To count them is to read all of the registry, while everybody else who takes a host waits.
    counts = await count_tenants(session) if len(open_ones) > 1 else {}
    return min(open_ones, key=lambda name: counts.get(name, 0) / open_ones[name])  # of equals the first that is set


async def count_tenants(session: AsyncSession) -> dict[str, int]:
    """How many tenants the registry places on each database that has some."""
    rows = await session.execute(select(TenantRow.database, func.count()).group_by(TenantRow.database))
    return dict(rows.all())


async def occupancy(database: Database) -> list[Occupancy]:
    """Every database, the default one first; one that does not answer is told as such."""
    async with database.platform_session() as session:
        counts = await count_tenants(session)
    return [await _look(database, name, counts.get(name, 0)) for name in database.names]


async def _look(database: Database, name: str, tenants: int) -> Occupancy:
    url, weight = database.engine_of(name).url, database.weights[name]
    host = f"{url.host or url.query.get('host', '')}:{url.port or _PORT}/{url.database or ''}"
    try:
        async with database.platform_session(name) as session:
            size: int | None = await session.scalar(select(func.pg_database_size(func.current_database())))
    except (SQLAlchemyError, asyncpg.PostgresError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        return Occupancy(name, host, tenants, weight, None, str(cause) or type(cause).__name__)
    return Occupancy(name, host, tenants, weight, size)
