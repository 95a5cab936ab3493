"""Work that an answer does not wait for: a bounded number of jobs, a few at a time, finished at shutdown."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

log = logging.getLogger(__name__)

_CLOSE_SECONDS: Final = 15.0


async def end(task: "asyncio.Task[None]", again: float = 1.0) -> None:
    """Cancel a task that would never end, and wait for it, however it then ends.

    Every `again` seconds anew: `asyncio.wait_for` of Python 3.11 swallows a cancellation that comes together with what
    it has waited for, and many libraries use it.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=again)
    if not task.cancelled() and task.exception() is not None:
        log.warning("%s had failed", task.get_name(), exc_info=task.exception())


class Background:
    """One for each event loop. What a process that is killed had not finished is lost."""

    def __init__(self, *, parallel: int = 4, most: int = 1000) -> None:
        """`most` is how many jobs may run or wait; `parallel`, how many of them run."""
        self._most = most
        self._running = asyncio.Semaphore(parallel)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, what: str, job: Callable[[], Awaitable[object]]) -> bool:
        """Begin `job`, or drop it, with a warning, where too many wait: then False. What it raises is logged."""
        if len(self._tasks) >= self._most:
            log.warning("Dropped, since too much work is waiting: %s", what)
            return False
        task = asyncio.get_running_loop().create_task(self._run(what, job), name=what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def drain(self) -> None:
        """Return when nothing runs or waits."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self, timeout: float = _CLOSE_SECONDS) -> None:
        """Finish what was begun, for `timeout` seconds at most."""
        try:
            async with asyncio.timeout(timeout):
                await self.drain()
        except TimeoutError:
            log.warning("%d jobs were not finished", len(self._tasks))
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, what: str, job: Callable[[], Awaitable[object]]) -> None:
        async with self._running:
            try:
                await job()
            except Exception:
                log.exception("Failed in the background: %s", what)
