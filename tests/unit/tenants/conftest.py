"""A migrated database, and processes on it: each with caches of its own, as servers and commands have."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import asyncpg
import pytest
from sqlalchemy import event

from saas.dev import Servers
from tenants import provisioning
from tenants.changes import Changes
from tenants.database import Database
from tenants.migrate.runner import migrate_platform
from tenants.names import Origin
from tenants.registry import Registry, Tenant

ORIGIN = Origin.parse("https://example.com")


@dataclass(frozen=True, slots=True)
class Process:
    """One process's view of the database. What it publishes goes to `sent` and, where it is alive, to `peers`."""

    database: Database
    changes: Changes
    registry: Registry
    sent: list[bytes]
    peers: "list[Process]"

    @classmethod
    def start(cls, url: str, *, pool_size: int = 4, others: Mapping[str, str] = MappingProxyType({})) -> "Process":
        sent: list[bytes] = []
        peers: list[Process] = []

        async def publish(message: bytes) -> None:
            sent.append(message)
            for peer in peers:
                peer.changes.received(message)

        changes = Changes(publish)
        database = Database(url, others=others, pool_size=pool_size, pool_timeout=60.0, on_commit=changes.committed)
        registry = Registry(database, ORIGIN, changes, reserved_hosts=frozenset({"API.example.com:8443"}))
        return cls(database, changes, registry, sent, peers)

    async def make(self, slug: str = "", *, plan: str = "pro", domain: str | None = None) -> Tenant:
        """An active tenant with its schema. Without a slug it gets a new one."""
        slug = slug or new_slug()
        made = await provisioning.create_row(
            self.database, self.registry, slug=slug, name=slug.title(), plan=plan, domain=domain
        )
        await provisioning.ensure_schema(self.database, made)
        async with self.database.tenant_session(made) as session:
            await provisioning.activate(session, made)
            return await self.registry.get(session, slug)


class Statements:
    """Counts what a process asks its database, transactions aside."""

    def __init__(self, process: Process) -> None:
        self.count = 0
        event.listen(process.database.engine.sync_engine, "before_cursor_execute", self._counted)

    def _counted(self, *_: object) -> None:
        self.count += 1


def new_slug() -> str:
    return f"t{secrets.token_hex(4)}"


@pytest.fixture(scope="session")
async def database_url(servers: Servers) -> AsyncIterator[str]:
    """A database with the platform's schema, which these tests share; their tenants have random slugs."""
    admin = await asyncpg.connect(servers.database_url)
    name = f"tenancy_{secrets.token_hex(4)}"
    await admin.execute(f'CREATE DATABASE "{name}"')
    url = servers.database_url.replace("/postgres?", f"/{name}?")
    database = Database(url)
    await migrate_platform(database)
    await database.close()
    yield url
    await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await admin.close()


@pytest.fixture
async def start(database_url: str) -> AsyncIterator[Callable[[], Process]]:
    """Starts processes that do not hear of each other, unless they are made peers."""
    running: list[Process] = []

    def start_one() -> Process:
        running.append(Process.start(database_url))
        return running[-1]

    yield start_one
    for process in running:
        await process.database.close()


@pytest.fixture
def process(start: Callable[[], Process]) -> Process:
    return start()


@pytest.fixture
def purge() -> Callable[[object], Awaitable[None]]:
    async def nothing(_tenant_id: object) -> None:
        """These tests keep nothing outside the database."""

    return nothing
