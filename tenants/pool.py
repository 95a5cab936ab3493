"""A pool of connections that serves those who wait in the order in which they came.

SQLAlchemy's own hands a connection that comes back to whoever asks first: under load, some wait ten times as long as
others. Here it goes to the one who has waited longest.
"""

import asyncio
import logging
from collections import deque
from typing import TypeVar

from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util import await_only
from sqlalchemy.util.queue import AsyncAdaptedQueue, Empty

T = TypeVar("T")

#: A pool writes to the logger of its class; those of SQLAlchemy's own are as quiet as this.
logging.getLogger(__name__).setLevel(logging.WARNING)


class FairQueue(AsyncAdaptedQueue[T]):
    """Nothing stays in it while somebody waits, so whoever finds something there takes it from nobody."""

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:
        super().__init__(maxsize, use_lifo)
        self._turns: deque[asyncio.Future[T]] = deque()

    def put_nowait(self, item: T) -> None:
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(item)
                return
        super().put_nowait(item)

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:  # noqa: ARG002 - it never waits
        """There is room for every connection of the pool."""
        self.put_nowait(item)

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Raises Empty."""
        try:
            return self.get_nowait()
        except Empty:
            if not block:
                raise
        return await_only(self._wait(timeout))

    async def _wait(self, timeout: float | None) -> T:
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[T] = loop.create_future()
        self._turns.append(turn)
        late = None if timeout is None else loop.call_later(timeout, _give_up, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:  # it came, and is not wanted any more
                self.put_nowait(turn.result())
            raise
        finally:
            if late is not None:
                late.cancel()


def _give_up(turn: asyncio.Future[T]) -> None:
    if not turn.done():
        turn.set_exception(Empty())


class FairPool(AsyncAdaptedQueuePool):
    _queue_class = FairQueue  # type: ignore[assignment]
