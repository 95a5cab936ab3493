"""Many tenants at once: processes that send rendered messages, and this one, which hands out the work and does a share
of it, before the others have started.

A process that dies, or that cannot tell what became of a tenant, leaves that tenant to the caller: the schema itself
says how far it got. The processes end when this one does, however it ends.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from tenants.database import Database
from tenants.migrate.message import ATTEMPTS, BUSY, MOVED, PAUSE, compose, script_of
from tenants.migrate.plan import Behind
from tenants.migrate.render import Scripts
from tenants.migrate.worker import Lane

#: Transactions at a time, in each process: while one waits for the disk, another works.
_LANES: Final = 2
#: Tenants that a process holds, so that it never waits for this one.
_HELD: Final = 4 * _LANES
_GONE_SECONDS: Final = 5.0
#: Connection lost, server going down: whether the transaction was committed is not known.
_DOUBTFUL: Final = ("08", "57P")

#: Hears what became of a tenant (its failure's cause, or None) and says whether to go on.
Report = Callable[[Behind, str | None], bool]


class Fleet:
    """One run over many tenants, each at a known revision. `report` is called as they are done."""

    def __init__(self, database: Database, scripts: Scripts, tenants: Sequence[Behind], report: Report) -> None:
        self._database = database
        self._scripts = scripts
        self._waiting = deque(tenants)
        self._report = report
        self._goes_on = True
        self._doubtful: list[Behind] = []

    async def run(self, processes: int) -> list[Behind]:
        """Migrate them; returns those that have to be looked at one by one. Where `report` halts it, that is none."""
        setup = self._setup()
        async with asyncio.TaskGroup() as group:
            for _ in range(min(processes, len(self._waiting)) - 1):
                group.create_task(self._drive(setup))
            for _ in range(_LANES):
                group.create_task(self._work(setup))
        return [*self._doubtful, *self._waiting] if self._goes_on else []

    async def _work(self, setup: dict[str, Any]) -> None:
        """What a lane of another process does, here."""
        lane = Lane(setup)
        try:
            while self._goes_on and self._waiting:
                tenant = self._waiting.popleft()
                self._hear(await lane.migrate(self._job(tenant)), {str(tenant.id): tenant})
        finally:
            await lane.close()

    async def _drive(self, setup: dict[str, Any]) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tenants.migrate.worker"),
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,  # Ctrl-C is for us, who end it
        )
        held: dict[str, Behind] = {}
        try:
            _stdin(process).write(_line(setup))
            while self._hand_out(process, held):
                line = await _stdout(process).readline()
                if not line:
                    break
                self._hear(json.loads(line), held)
        finally:
            self._doubtful.extend(held.values())
            await _end(process)

    def _hand_out(self, process: Process, held: dict[str, Behind]) -> bool:
        """Fill what the process holds; False where nothing is left to wait for."""
        while self._goes_on and self._waiting and len(held) < _HELD:
            tenant = self._waiting.popleft()
            held[str(tenant.id)] = tenant
            _stdin(process).write(_line(self._job(tenant)))
        return bool(held)

    def _hear(self, answer: dict[str, Any], held: dict[str, Behind]) -> None:
        tenant = held.pop(answer["id"])
        cause, state = answer.get("error"), answer.get("state")
        if cause is not None and (state is None or state == MOVED or state.startswith(_DOUBTFUL)):
            self._doubtful.append(tenant)
        elif not self._report(tenant, cause):
            self._goes_on = False

    def _setup(self) -> dict[str, Any]:
        revisions = {tenant.revision for tenant in self._waiting}
        return {
            "databases": {name: _connect_arguments(self._database, name) for name in self._database.names},
            "scripts": {str(revision): script_of(self._scripts.after(revision)) for revision in revisions},
            "lanes": _LANES,
            "attempts": ATTEMPTS,
            "pause": PAUSE,
            "busy": sorted(BUSY),
        }

    def _job(self, tenant: Behind) -> dict[str, Any]:
        apart = not self._database.shares_registry(tenant)
        message = compose(
            tenant.id, tenant.schema, str(tenant.revision), self._scripts.head, self._scripts, apart=apart
        )
        return {
            "id": str(tenant.id),
            "database": tenant.database,
            "script": tenant.revision,
            "before": message.before,
            "registry": message.registry,
        }


def _connect_arguments(database: Database, name: str) -> dict[str, Any]:
    """What SQLAlchemy would call the driver with; its own options are not for the driver."""
    engine = database.engine_of(name)
    _, arguments = engine.dialect.create_connect_args(engine.url)
    return {key: value for key, value in arguments.items() if not key.startswith("prepared_statement")}


def _line(document: object) -> bytes:
    return json.dumps(document).encode() + b"\n"


def _stdin(process: Process) -> asyncio.StreamWriter:
    assert process.stdin is not None  # noqa: S101 - it was asked for
    return process.stdin


def _stdout(process: Process) -> asyncio.StreamReader:
    assert process.stdout is not None  # noqa: S101 - it was asked for
    return process.stdout


async def _end(process: Process) -> None:
    _stdin(process).close()
    try:
        async with asyncio.timeout(_GONE_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
