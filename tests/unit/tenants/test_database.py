import asyncio

import pytest
from sqlalchemy import Text, cast, func, select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.changes import Change, mark_changed
from tenants.database import before_commit
from tenants.direct import Direct
from tenants.engine import async_url, quote_identifier
from tenants.statements import Statement
from tests.unit.tenants.conftest import Process

_PATH = text("SHOW search_path")
_XID = Statement(select(cast(func.pg_current_xact_id(), Text())))


async def test_path_ends_with_the_transaction(process: Process) -> None:
    tenant = await process.make()
    async with process.database.tenant_session(tenant) as session:
        assert await session.scalar(_PATH) == tenant.schema
    async with process.database.platform_session() as session:
        assert await session.scalar(_PATH) == '""'
    async with process.database.engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        assert await driver.fetchval("SHOW search_path") == '"$user", public'


async def test_path_survives_a_savepoint(process: Process) -> None:
    tenant = await process.make()
    async with process.database.tenant_session(tenant) as session:
        async with session.begin_nested():
            assert await session.scalar(text("SELECT count(*) FROM projects")) == 0
        assert await session.scalar(text("SELECT count(*) FROM projects")) == 0


async def test_begin_and_path_are_one_message(database_url: str) -> None:
    process = Process.start(database_url, pool_size=1)
    sent: list[str] = []
    try:
        tenant = await process.make()
        async with process.database.engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            driver.add_query_logger(lambda record: sent.append(record.query))
        async with process.database.tenant_session(tenant) as session:
            await session.execute(text("SELECT 1"))
    finally:
        await process.database.close()
    # asyncpg does not log what is prepared, like SELECT 1
    assert sent == [f'BEGIN; SET LOCAL search_path TO "{tenant.schema}"', "COMMIT;"]


async def test_block_commits_and_an_error_rolls_back(process: Process) -> None:
    async with process.database.platform_session() as session:
        before = await _burst(session)
    with pytest.raises(ZeroDivisionError):
        await _change_and_fail(process)
    async with process.database.platform_session() as session:
        assert await _burst(session) == before
    assert process.sent == []


async def test_change_is_published_after_the_commit(process: Process) -> None:
    tenant = await process.make()
    process.sent.clear()
    async with process.database.tenant_session(tenant) as session:
        mark_changed(session, tenant.id)
        mark_changed(session, tenant.id)
        await asyncio.sleep(0)
        assert process.sent == []
    (message,) = process.sent
    async with process.database.platform_session() as session:
        epoch = await session.scalar(text("SELECT value FROM platform.epoch"))
    assert Change.load(message) == Change(epoch, frozenset({tenant.id}))


async def test_failed_commit_publishes_nothing(process: Process) -> None:
    with pytest.raises(ProgrammingError):
        await _change_and_fail(process, "SELECT * FROM nowhere")
    assert process.sent == []


@pytest.mark.parametrize("directly", [False, True], ids=["session", "direct"])
async def test_what_is_to_be_done_before_the_commit_is_part_of_the_transaction(
    process: Process, directly: bool
) -> None:
    tenant = await process.make()
    open_one = process.database.direct if directly else process.database.tenant_session
    rows: list[object] = []

    async def note(session: AsyncSession | Direct) -> None:
        if isinstance(session, Direct):
            rows.append(await session.row(_XID))
        else:
            rows.append((await session.execute(text("SELECT pg_current_xact_id()::text"))).one())

    async with open_one(tenant) as session:
        await note(session)
        before_commit(session, lambda: note(session))
        assert len(rows) == 1
    assert len(rows) == 2
    assert rows[0] == rows[1]

    async def fail() -> None:
        async with open_one(tenant) as session:
            before_commit(session, lambda: note(session))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert len(rows) == 2


def test_quote_identifier() -> None:
    assert quote_identifier('a"; DROP SCHEMA x; --') == '"a""; DROP SCHEMA x; --"'


def test_async_url_keeps_the_rest() -> None:
    url = async_url("postgresql://me:s%40crt@db:5433/saas?ssl=require")
    assert url == "postgresql+asyncpg://me:s%40crt@db:5433/saas?ssl=require"


async def _burst(session: AsyncSession) -> object:
    return await session.scalar(text("SELECT burst FROM platform.plans WHERE name = 'enterprise'"))


async def _change_and_fail(process: Process, statement: str = "") -> None:
    async with process.database.platform_session() as session:
        await session.execute(text("UPDATE platform.plans SET burst = burst + 1 WHERE name = 'enterprise'"))
        mark_changed(session, None)
        if not statement:
            raise ZeroDivisionError
        await session.execute(text(statement))
