"""Who waits for a connection gets one in turn."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from tenants.engine import Engine, PoolOptions


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[Engine]:
    """With one connection."""
    engine = Engine(database_url, PoolOptions(size=1, timeout=0.2))
    yield engine
    await engine.engine.dispose()


async def _held(engine: Engine) -> AsyncConnection:
    connection = engine.engine.connect()
    await connection.start()
    return connection


async def _turn() -> None:
    """Everything that can run has run."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_whoever_has_just_had_a_connection_stands_last(engine: Engine) -> None:
    served: list[str] = []

    async def work(name: str, times: int) -> None:
        for _ in range(times):
            connection = await _held(engine)
            served.append(name)
            await asyncio.sleep(0)
            await connection.close()

    async with asyncio.TaskGroup() as group:
        for name in "abc":
            group.create_task(work(name, 3))
    assert served == list("abc") * 3


async def test_a_connection_is_not_lost_with_whoever_stopped_waiting(engine: Engine) -> None:
    first = await _held(engine)
    waiting = asyncio.create_task(_held(engine))
    await _turn()
    await first.close()
    assert not waiting.done()  # it was handed over, but this runs first
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await (await _held(engine)).close()


async def test_a_wait_ends_and_takes_nothing_with_it(engine: Engine) -> None:
    first = await _held(engine)
    with pytest.raises(PoolTimeout):
        await _held(engine)
    await first.close()
    await (await _held(engine)).close()
