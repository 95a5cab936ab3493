import asyncio
import logging

import pytest

from saas.kit.background import Background, end


async def test_a_few_jobs_run_at_a_time_and_all_in_the_end() -> None:
    background = Background(parallel=2)
    running = most = done = 0

    async def job() -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        done += 1

    assert all(background.start("job", job) for _ in range(10))
    await background.drain()
    assert (most, done) == (2, 10)


async def test_what_is_too_much_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    background, may_end = Background(parallel=1, most=2), asyncio.Event()
    assert [background.start("mail", may_end.wait) for _ in range(3)] == [True, True, False]
    assert "too much work is waiting: mail" in caplog.text
    may_end.set()
    await background.drain()
    assert background.start("mail", may_end.wait)
    await background.close()


async def test_what_fails_is_logged_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    background, done = Background(parallel=1), asyncio.Event()

    async def fail() -> None:
        raise RuntimeError("why")

    async def work() -> None:
        done.set()

    background.start("to fail", fail)
    background.start("to work", work)
    await background.close()
    assert done.is_set()
    assert "Failed in the background: to fail" in caplog.text


async def test_closing_waits_only_so_long(caplog: pytest.LogCaptureFixture) -> None:
    background = Background()
    background.start("never", asyncio.Event().wait)
    with caplog.at_level(logging.WARNING):
        await background.close(timeout=0.01)
    assert "1 jobs were not finished" in caplog.text
    await background.drain()


async def test_a_task_that_swallows_a_cancellation_ends_all_the_same() -> None:
    cancellations = 0

    async def stubborn() -> None:
        nonlocal cancellations
        while cancellations < 2:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                cancellations += 1

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end(task, again=0.01)
    assert cancellations == 2
    await end(task)
