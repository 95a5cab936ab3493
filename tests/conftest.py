"""Fixtures that every test may use. The servers are real: PostgreSQL and Valkey from their wheels."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from saas.dev import Servers, embedded
from tenants.database import Database


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Embedded PostgreSQL and Valkey, for this test session alone."""
    with tempfile.TemporaryDirectory(prefix="saas-test-") as folder, embedded(Path(folder), fast=True) as running:
        yield running


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
