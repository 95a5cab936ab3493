"""A transaction of one tenant, straight on the driver: for what is done all the time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
from sqlalchemy.pool import PoolProxiedConnection

from tenants.statements import Statement

Record = asyncpg.Record
#: Seconds.
_CLOSE_TIMEOUT = 2.0


class Direct:
    """What `Database.direct` yields. Nothing connects before the first statement.

    It has no unit of work and counts no change of what caches hold: `mark_changed` needs a session.
    """

    def __init__(self, connect: Callable[[], Awaitable[PoolProxiedConnection]], begin: str) -> None:
        """`begin` is the statement that opens the transaction."""
        #: As a session's: `after_commit` takes it.
        self.info: dict[str, Any] = {}
        self._connect = connect
        self._begin = begin
        self._pooled: PoolProxiedConnection | None = None
        self._driver: Any = None

    async def row(self, statement: Statement, **values: Any) -> Record | None:
        """The first row that the statement yields. Raises the driver's errors."""
        driver = self._driver or await self._open()
        row: Record | None = await driver.fetchrow(statement.sql, *statement.arguments(values))
        return row

    async def rows(self, statement: Statement, **values: Any) -> list[Record]:
        driver = self._driver or await self._open()
        rows: list[Record] = await driver.fetch(statement.sql, *statement.arguments(values))
        return rows

    async def _open(self) -> Any:
        self._pooled = await self._connect()
        self._driver = self._pooled.driver_connection
        await self._driver.execute(self._begin)
        return self._driver

    @property
    def lost(self) -> bool:
        """The connection broke."""
        return self._driver is not None and self._driver.is_closed()

    async def commit(self) -> None:
        if self._driver is not None:
            await self._driver.execute("COMMIT")

    async def abandon(self, error: BaseException) -> None:
        """Undo all of it."""
        if self._driver is None or self.lost:
            return
        if isinstance(error, Exception):
            await self._driver.execute("ROLLBACK")
        else:
            # Cancelled on the way: nobody knows what it would answer next. Closing cancels what the server still does.
            await asyncio.shield(self._driver.close(timeout=_CLOSE_TIMEOUT))

    def release(self) -> None:
        """Give the connection back, if it is still one."""
        if self._pooled is not None:
            if self.lost:
                self._pooled.invalidate()
            self._pooled.close()
