"""A process that migrates tenants for `tenants.migrate.fleet`: `python -m tenants.migrate.worker`.

It reads JSON lines: first what it works with, then a tenant each; and answers each tenant with a line. It ends where
its input ends, so that it does not outlive who started it. It knows SQL only as text that was rendered elsewhere, and
imports next to nothing: many are started.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

import asyncpg

#: Bytes of a line: the scripts of all revisions are one.
_LINE: Final = 1 << 26
#: A backend remembers every table that it has touched: after so many tenants another takes its place.
_TENANTS_A_CONNECTION: Final = 500
_MAX_CAUSE: Final = 1_000


class Lane:
    """A connection to each database, and the tenants that go through it, one after the other."""

    def __init__(self, setup: Mapping[str, Any]) -> None:
        self._setup = setup
        self._connections: dict[str, asyncpg.Connection[asyncpg.Record]] = {}
        self._count = 0

    async def migrate(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Send one tenant's messages; the answer holds the `error` and its SQLSTATE where it could not be moved."""
        message = f"{job['before']}{self._setup['scripts'][job['script']]}\nCOMMIT"
        for attempt in range(1, self._setup["attempts"] + 1):
            try:
                await self._send(job["database"], message)
                if job["registry"] is not None:
                    await self._send("default", job["registry"])
            except asyncpg.PostgresError as error:
                state = getattr(error, "sqlstate", None)
                if state not in self._setup["busy"] or attempt == self._setup["attempts"]:
                    return {"id": job["id"], "error": str(error)[:_MAX_CAUSE], "state": state}
                await asyncio.sleep(self._setup["pause"])
            except (OSError, asyncpg.InterfaceError) as error:
                return {"id": job["id"], "error": str(error)[:_MAX_CAUSE] or type(error).__name__, "state": None}
            else:
                break
        await self._recycle()
        return {"id": job["id"]}

    async def _send(self, database: str, message: str) -> None:
        connection = self._connections.get(database)
        if connection is None or connection.is_closed():
            connection = await asyncpg.connect(
                **self._setup["databases"][database],
                statement_cache_size=0,
                server_settings={"application_name": "saas migrate", "timezone": "UTC"},
            )
            self._connections[database] = connection
        try:
            await connection.execute(message)
        except asyncpg.PostgresError:
            if not connection.is_closed():
                await connection.execute("ROLLBACK")
            raise

    async def _recycle(self) -> None:
        self._count += 1
        if self._count % _TENANTS_A_CONNECTION == 0:
            await self.close()

    async def close(self) -> None:
        for connection in self._connections.values():
            await connection.close(timeout=2)
        self._connections.clear()


async def main() -> None:
    reader = asyncio.StreamReader(limit=_LINE)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    setup = json.loads(await reader.readline())
    jobs: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    lanes = [asyncio.create_task(_work(Lane(setup), jobs)) for _ in range(setup["lanes"])]
    for lane in lanes:
        lane.add_done_callback(lambda _ended: os._exit(1))  # whoever started us deals with what it left
    while line := await reader.readline():
        jobs.put_nowait(json.loads(line))
    # Nobody waits for an answer any more. What is under way is one transaction: the server undoes it, or has done it.
    os._exit(0)


async def _work(lane: Lane, jobs: "asyncio.Queue[dict[str, Any]]") -> None:
    while True:
        answer = await lane.migrate(await jobs.get())
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
