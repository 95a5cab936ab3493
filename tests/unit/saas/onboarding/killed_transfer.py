"""A program for the tests: moves or imports tenants between two databases, and dies by SIGKILL at a chosen point.

`python -m tests.unit.saas.onboarding.killed_transfer` reads words like `move SLUG TARGET POINT` or `import FILE SLUG
POINT` from standard input, a line each, makes each attempt in a process of its own, and answers with a line: `killed`
or `done`. A point is 1 for before the first commit, 2 for after it, 3 for before the second; or `rows`: while the first
rows are copied.
"""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from saas.audit.tenancy import tell_imported, tell_moved
from saas.kit.crypto import Sealer
from saas.onboarding.portable import portable
from saas.settings import Settings, decode_key
from tenants.changes import Changes
from tenants.migrate.render import TENANT
from tenants.registry import Registry, Tenant
from tenants.transfer import passphrase
from tenants.transfer.importing import Wanted, import_tenant
from tenants.transfer.moving import Mover
from tests.unit.saas.onboarding.killed import Mortal

PASSPHRASE = "five early swallows"
_NEVER = sys.maxsize


class Doomed(Mover):
    """Counts from the fence on: what comes before changes nothing."""

    lives = _NEVER

    async def _check(self, slug: str, to: str | None) -> Tenant:
        async with self._database.platform_session() as session:  # for a third of the time
            tenant = await self._registry.get_made(session, slug)
        assert isinstance(self._database, Mortal)
        self._database.lives = self.lives
        return tenant


def die(_done: int, _total: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def attempt(what: str, first: str, second: str, point: str) -> None:
    setattr(passphrase, "_COST", 2)  # noqa: B010 - it is final, and slow for a reason that tests do not have
    settings = Settings()
    changes = Changes()
    database = Mortal(settings.database.url, others=settings.databases, pool_size=3, on_commit=changes.committed)
    registry = Registry(database, settings.public.origin, changes)
    on_progress = die if point == "rows" else None
    lives = _NEVER if point == "rows" else int(point)
    if what == "move":
        mover = Doomed(database, registry, told=tell_moved, on_progress=on_progress, settle=0)
        mover.lives = lives
        await mover.move(first, second, timedelta(0))
    else:
        database.lives = lives
        sealer = Sealer(decode_key(settings.secrets.master_key))
        await import_tenant(
            database,
            registry,
            Path(first),
            Wanted(slug=second, database="eu"),
            portable=portable(sealer),
            passphrase=PASSPHRASE,
            told=tell_imported,
            on_progress=on_progress,
        )
    await database.close()


def main() -> None:
    assert TENANT.steps  # rendered here, once for all attempts
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(attempt(*line.split()))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print({0: "done", signal.SIGKILL: "killed"}.get(status, "failed"), flush=True)


if __name__ == "__main__":
    main()
