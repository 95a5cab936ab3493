"""Transactions straight on the driver: what they do, and in which state they leave the connection behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import (
    Column,
    DateTime,
    Float,
    MetaData,
    Table,
    Text,
    Uuid,
    bindparam,
    column,
    func,
    insert,
    literal_column,
    select,
    table,
    text,
    update,
)

from tenants.base import new_id, utc_now
from tenants.changes import after_commit
from tenants.registry import Tenant
from tenants.statements import Statement
from tests.unit.tenants.conftest import Process

_projects = table(
    "projects",
    column("id", Uuid()),
    column("created_at", DateTime(timezone=True)),
    column("updated_at", DateTime(timezone=True)),
    *(column(name, Text()) for name in ("name", "description", "status", "created_by")),
)
ADD = Statement(insert(_projects))
PID = Statement(select(func.pg_backend_pid()))
NAME = Statement(select(_projects.c.name).where(_projects.c.id == bindparam("id"), _projects.c.status == "active"))
PATH = Statement(select(func.current_setting("search_path")))
SLEEP = Statement(select(func.pg_sleep(bindparam("seconds", type_=Float()))))
FAIL = Statement(select(literal_column("1 / 0")))


@pytest.fixture
async def process(database_url: str) -> AsyncIterator[Process]:
    """With one connection, so that each read meets what the one before left behind."""
    process = Process.start(database_url, pool_size=1)
    yield process
    await process.database.close()


async def _add(process: Process, tenant: Tenant, name: str, status: str = "active") -> UUID:
    row_id = new_id()
    columns = "(id, created_at, updated_at, name, description, status, created_by)"
    insert = text(f"INSERT INTO projects {columns} VALUES (:id, now(), now(), :name, '', :status, 'me')")
    async with process.database.tenant_session(tenant) as session:
        await session.execute(insert, {"id": row_id, "name": name, "status": status})
    return row_id


async def test_a_read_finds_the_row_of_its_tenant_alone(process: Process) -> None:
    acme, globex = await process.make(), await process.make()
    row_id = await _add(process, acme, "Apollo")
    row = await process.database.read_one(acme, NAME, id=row_id)
    assert row is not None
    assert row["name"] == "Apollo"
    assert await process.database.read_one(globex, NAME, id=row_id) is None


async def test_values_of_the_statement_itself_are_sent_too(process: Process) -> None:
    acme = await process.make()
    row_id = await _add(process, acme, "Apollo", status="archived")
    assert await process.database.read_one(acme, NAME, id=row_id) is None


async def test_the_path_ends_with_the_read(process: Process) -> None:
    acme = await process.make()
    assert await _path(process, acme) == acme.schema
    async with process.database.platform_session() as session:
        assert await session.scalar(text("SHOW search_path")) == '""'


async def test_a_read_cannot_write(process: Process) -> None:
    acme = await process.make()
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await process.database.read_one(acme, Statement(select(func.pg_current_xact_id(), func.lo_creat(-1))))


async def test_after_an_error_the_connection_is_good_for_the_next(process: Process) -> None:
    acme = await process.make()
    for _ in range(2):
        with pytest.raises(asyncpg.DivisionByZeroError):
            await process.database.read_one(acme, FAIL)
    assert await _path(process, acme) == acme.schema
    async with process.database.tenant_session(acme) as session:
        assert await session.scalar(text("SELECT count(*) FROM projects")) == 0


async def test_a_cancelled_read_leaves_nothing_behind(process: Process) -> None:
    acme = await process.make()
    backend = (await _driver(process)).get_server_pid()
    task = asyncio.create_task(process.database.read_one(acme, SLEEP, seconds=60.0))
    async with _watcher(process) as watcher:
        await _until(watcher, "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1", backend)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await _until(watcher, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $1", backend)
    assert await _path(process, acme) == acme.schema


async def test_a_connection_that_the_server_closed_is_replaced(process: Process) -> None:
    acme = await process.make()
    driver = await _driver(process)
    async with _watcher(process) as watcher, asyncio.timeout(10):
        await watcher.execute("SELECT pg_terminate_backend($1)", driver.get_server_pid())
        while not driver.is_closed():  # noqa: ASYNC110 - the driver tells nobody
            await asyncio.sleep(0.01)
    assert await _path(process, acme) == acme.schema


def _row(row_id: UUID) -> dict[str, Any]:
    now = utc_now()
    texts = {"name": "Apollo", "description": "", "status": "active", "created_by": "me"}
    return {"id": row_id, "created_at": now, "updated_at": now, **texts}


async def _never() -> None:
    raise AssertionError("not committed")


async def _path(process: Process, tenant: Tenant) -> str:
    row = await process.database.read_one(tenant, PATH)
    assert row is not None
    return str(row[0])


async def _driver(process: Process) -> "asyncpg.Connection[asyncpg.Record]":
    """The one connection of the pool."""
    pooled = await process.database.engine.raw_connection()
    driver = pooled.driver_connection
    pooled.close()
    assert isinstance(driver, asyncpg.Connection)
    return driver


@asynccontextmanager
async def _watcher(process: Process) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    url = process.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    watcher = await asyncpg.connect(url)
    try:
        yield watcher
    finally:
        await watcher.close()


async def _until(watcher: "asyncpg.Connection[asyncpg.Record]", condition: str, pid: int) -> None:
    async with asyncio.timeout(10):
        while not await watcher.fetchval(condition, pid):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)


async def test_a_block_is_one_transaction_and_what_follows_comes_after_its_commit(process: Process) -> None:
    acme = await process.make()
    seen: list[bool] = []
    row_id = new_id()

    async def look() -> None:
        seen.append(await process.database.read_one(acme, NAME, id=row_id) is not None)

    async with process.database.direct(acme) as direct:
        after_commit(direct, look)
        await direct.row(ADD, **_row(row_id))
        assert await direct.row(NAME, id=row_id) is not None
        assert [row["name"] for row in await direct.rows(NAME, id=row_id)] == ["Apollo"]
        assert seen == []
    assert seen == [True]


async def test_a_block_that_raises_leaves_nothing_and_nothing_follows(process: Process) -> None:
    acme = await process.make()
    row_id = new_id()

    async def fail() -> None:
        async with process.database.direct(acme) as direct:
            after_commit(direct, _never)
            await direct.row(ADD, **_row(row_id))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await process.database.read_one(acme, NAME, id=row_id) is None


async def test_a_block_without_a_statement_needs_no_connection(process: Process) -> None:
    acme = await process.make()
    taken = await process.database.engine.raw_connection()  # the only one
    async with process.database.direct(acme):
        pass
    taken.close()


async def test_a_lost_connection_is_told_as_such(process: Process) -> None:
    acme = await process.make()

    async def lose() -> None:
        async with process.database.direct(acme) as direct, _watcher(process) as watcher:
            pid = await direct.row(PID)
            assert pid is not None
            await watcher.execute("SELECT pg_terminate_backend($1)", pid[0])
            await direct.row(SLEEP, seconds=10.0)

    with pytest.raises(ConnectionError):
        await lose()
    assert await _path(process, acme) == acme.schema


@pytest.mark.parametrize("values", [{}, {"ids": 1}, {"id": 1, "name": "x"}])
def test_values_that_are_not_those_of_the_statement_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="takes id"):
        NAME.arguments(values)


def test_a_statement_that_leaves_a_column_to_sqlalchemy_is_refused() -> None:
    """Nobody would fill it in: it would be stored as NULL."""
    rows = Table(
        "rows",
        MetaData(),
        Column("id", Uuid(), primary_key=True),
        Column("made_at", DateTime(), default=utc_now),
        Column("changed_at", DateTime(), onupdate=utc_now),
    )
    by_id = rows.c.id == bindparam("row")
    for statement in (update(rows).where(by_id).values(made_at=None), insert(rows).values(id=bindparam("row"))):
        with pytest.raises(ValueError, match="name it"):
            Statement(statement)
    Statement(insert(rows))
    Statement(update(rows).where(by_id).values(changed_at=bindparam("now")))


def test_a_statement_that_depends_on_its_values_is_refused() -> None:
    with pytest.raises(ValueError, match="session"):
        Statement(select(_projects.c.name).where(_projects.c.id.in_([new_id()])))
