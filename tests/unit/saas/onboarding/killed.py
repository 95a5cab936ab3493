"""A program for the tests: creates or deletes tenants, and dies by SIGKILL right before or after a chosen commit.

`python -m tests.unit.saas.onboarding.killed create PREFIX` makes one attempt for each point where it can die, in a
process of its own, with the slugs PREFIX1, PREFIX2, ...; the last one survives. It prints how many it were.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from saas.keys.service import KeyService
from saas.kit.crypto import Sealer
from saas.onboarding.service import onboard
from saas.settings import Settings, decode_key
from tenants import provisioning
from tenants.changes import Changes
from tenants.database import Database, HasSchema
from tenants.migrate.render import TENANT
from tenants.registry import Registry


class Mortal(Database):
    """Dies at the point that the number names: 1 is before the first commit, 2 after it, 3 before the second."""

    lives: int = sys.maxsize

    @asynccontextmanager
    async def platform_session(self, name: str = "default") -> AsyncIterator[AsyncSession]:
        async with super().platform_session(name) as session:
            yield session
            self._age()
        self._age()

    @asynccontextmanager
    async def tenant_session(self, tenant: HasSchema) -> AsyncIterator[AsyncSession]:
        async with super().tenant_session(tenant) as session:
            yield session
            self._age()
        self._age()

    def _age(self) -> None:
        self.lives -= 1
        if self.lives == 0:
            os.kill(os.getpid(), signal.SIGKILL)


async def attempt(what: str, slug: str, lives: int) -> None:
    settings = Settings()
    changes = Changes()
    database = Mortal(settings.database.url, pool_size=2, on_commit=changes.committed)
    registry = Registry(database, settings.public.origin, changes)
    keys = KeyService(database, Sealer(decode_key(settings.secrets.master_key)), changes)

    async def create() -> None:
        await onboard(
            database, registry, keys, slug=slug, name=slug, plan="pro", owner_email=f"owner@{slug}.example", domain=None
        )

    async def purge(_tenant_id: UUID) -> None:
        """Nothing of it is in Valkey."""

    if what == "create":
        database.lives = lives
        await create()
    else:
        await create()
        database.lives = lives
        await provisioning.delete(database, slug, purge=purge)
    await database.close()


def main(what: str, prefix: str) -> None:
    assert TENANT.steps  # rendered here, once for all attempts
    for lives in count(1):
        child = os.fork()
        if child == 0:
            asyncio.run(attempt(what, f"{prefix}{lives}", lives))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            print(lives if status == 0 else "failed")
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
