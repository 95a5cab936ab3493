"""A program for the tests: creates or deletes tenants, or fills the pool, and dies by SIGKILL at a chosen commit.

It dies right before or after it. `python -m tests.unit.saas.onboarding.killed` reads lines like `create PREFIX URL` (or
another word that `attempt` knows; the URL is the database's). For each it makes one attempt for each point where it can
die, in a process of its own, with the slugs PREFIX1, PREFIX2, ...; the last one survives. It prints how many it were.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from saas.keys.service import KeyService
from saas.kit.crypto import Sealer
from saas.onboarding.service import onboard
from saas.settings import Settings, decode_key
from tenants import lifecycle, provisioning, warm
from tenants.changes import Changes
from tenants.database import Database, HasSchema
from tenants.migrate.render import TENANT, Scripts, Step
from tenants.registry import Registry
from tests.factories import NewTenantFactory

Work = Callable[[], Awaitable[None]]

#: What the pool is filled with where it is about the pool: any tables would do.
SMALL = Scripts(Path("none"))
SMALL.steps = (
    Step("0001", ("CREATE TABLE first (id bigint PRIMARY KEY);",)),
    Step("0002", ("CREATE TABLE second (id bigint PRIMARY KEY);",)),
)


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


async def attempt(what: str, slug: str, url: str, lives: int) -> None:
    settings = Settings()
    changes = Changes()
    database = Mortal(url, pool_size=2, on_commit=changes.committed)
    registry = Registry(database, settings.public.origin, changes)
    keys = KeyService(database, Sealer(decode_key(settings.secrets.master_key)), changes)

    async def create() -> None:
        wanted = NewTenantFactory(slug=slug, plan="pro")
        await onboard(database, registry, keys, **wanted, owner_hash="of nobody's password")

    async def purge(_tenant_id: UUID) -> None:
        """Nothing of it is in Valkey."""

    async def delete() -> None:
        await provisioning.delete(database, slug, purge=purge)

    async def delete_and_purge() -> None:
        """As far as the command and then the worker come before they do what `delete` does."""

        async def take_away(_slug: str, _tenant_id: UUID) -> None:
            """It is left to the next worker."""

        async with database.platform_session() as session:
            deleted = await lifecycle.delete(session, registry, slug, grace=timedelta(0))
        await lifecycle.purge_if_due(database, deleted.id, take_away)

    work: dict[str, tuple[Work, Work]] = {
        "create": (nothing, create),
        "create-pooled": (partial(refill, database, TENANT), create),
        "delete": (create, delete),
        "delete-and-purge": (create, delete_and_purge),
        "refill": (partial(leave_stale, database), partial(refill, database, SMALL)),
    }
    prepare, run = work[what]
    await prepare()
    database.lives = lives
    await run()
    await database.close()


async def nothing() -> None:
    """To begin with."""


async def refill(database: Database, scripts: Scripts) -> None:
    while await warm.refill(database, "default", 1, scripts):
        pass


async def leave_stale(database: Database) -> None:
    """One schema in the pool, at an older revision. What an attempt has left must be whole, or known as not whole."""
    await check_pool(database)
    await refill(database, SMALL)
    await check_pool(database)
    async with database.platform_session() as session:
        await session.execute(text("UPDATE platform.schema_pool SET revision = '0001'"))


async def check_pool(database: Database) -> None:
    """Raises AssertionError where a schema is lost, or half of one could be taken."""
    async with database.platform_session() as session:
        rows = await session.execute(text("SELECT schema, revision FROM platform.schema_pool"))
        pooled = {schema: revision for schema, revision in rows}  # noqa: C416 - a Row is no tuple to the type checker
        found = text("SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname LIKE 't\\_%'")
        assert set(await session.scalars(found)) <= pooled.keys()
        for schema in (schema for schema, revision in pooled.items() if revision == SMALL.head):
            version = text(f'SELECT version_num FROM "{schema}".alembic_version')
            assert await session.scalar(version) == SMALL.head


def kill_at_every_point(what: str, prefix: str, url: str) -> int | str:
    for lives in count(1):
        child = os.fork()
        if child == 0:
            asyncio.run(attempt(what, f"{prefix}{lives}", url, lives))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            return lives if status == 0 else "failed"
    raise AssertionError("It dies for ever")


def main() -> None:
    assert TENANT.steps  # rendered here, once for all attempts
    for line in sys.stdin:
        print(kill_at_every_point(*line.split()), flush=True)


if __name__ == "__main__":
    main()
