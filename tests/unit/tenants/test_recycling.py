"""A backend remembers every table that it has touched: connections are replaced after a number of tenants."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest
from sqlalchemy import func, select, text

from tenants.database import Database
from tenants.engine import PoolOptions
from tenants.statements import Statement

_PID = Statement(select(func.pg_backend_pid()))
_MAX = 5


@dataclass(frozen=True, slots=True)
class Place:
    """A schema that need not exist: the search path does not mind."""

    schema: str
    database: str = "default"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, options=PoolOptions(size=1, max_tenants=_MAX))
    yield database
    await database.close()


async def _pid(database: Database, place: Place, *, directly: bool) -> int:
    if directly:
        row = await database.read_one(place, _PID)
        assert row is not None
        return int(row[0])
    async with database.tenant_session(place) as session:
        return int(await session.scalar(text("SELECT pg_backend_pid()")) or 0)


@pytest.mark.parametrize("directly", [False, True], ids=["session", "direct"])
async def test_a_backend_serves_so_many_tenants_and_not_one_more(database: Database, directly: bool) -> None:
    pids = [await _pid(database, Place(f"t_{number}"), directly=directly) for number in range(3 * _MAX)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [_MAX, _MAX, _MAX]


async def test_the_next_backend_is_there_before_anybody_asks_for_it(database: Database, database_url: str) -> None:
    for number in range(_MAX - 1):
        await _pid(database, Place(f"t_{number}"), directly=True)
    new = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'saas' AND backend_start > $1"
    connection = await asyncpg.connect(database_url)
    try:
        before = await connection.fetchval("SELECT clock_timestamp()")
        await _pid(database, Place("t_last"), directly=True)
        async with asyncio.timeout(10):
            while not await connection.fetchval(new, before):  # noqa: ASYNC110 - the server sets no event
                await asyncio.sleep(0.01)
    finally:
        await connection.close()


async def test_the_same_tenants_again_keep_the_backend(database: Database) -> None:
    places = [Place(f"t_{number % (_MAX - 1)}") for number in range(4 * _MAX)]
    pids = {await _pid(database, place, directly=bool(number % 2)) for number, place in enumerate(places)}
    assert len(pids) == 1


async def test_sessions_and_direct_transactions_count_together(database: Database) -> None:
    pids = [await _pid(database, Place(f"t_{number}"), directly=bool(number % 2)) for number in range(2 * _MAX)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [_MAX, _MAX]
    async with database.platform_session() as session:  # a platform's transaction touches no tenant
        assert await session.scalar(text("SELECT 1")) == 1
