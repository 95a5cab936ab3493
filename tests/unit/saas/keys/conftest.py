"""A database with the platform's tables, and tenants with a schema each."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import pytest
from sqlalchemy import text

import saas.keys.models
import saas.oauth.models  # noqa: F401 - registers its tables
from tenants.base import PlatformBase, TenantBase, new_id
from tenants.changes import Changes
from tenants.database import Database
from tenants.models import EpochRow
from tenants.names import schema_name


@dataclass(frozen=True, slots=True)
class Place:
    id: UUID
    schema: str
    issuer: str


NewPlace = Callable[[], Awaitable[Place]]


@pytest.fixture
async def changes(empty_database: Database) -> Changes:
    changes = Changes()
    empty_database.on_commit = changes.committed
    return changes


@pytest.fixture
async def new_place(empty_database: Database, changes: Changes) -> NewPlace:
    async with empty_database.engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA platform"))
        await connection.run_sync(PlatformBase.metadata.create_all)
    async with empty_database.platform_session() as session:
        session.add(EpochRow(id=1, value=0))

    async def make() -> Place:
        tenant_id = new_id()
        place = Place(tenant_id, schema_name(tenant_id), f"http://{tenant_id.hex}.localhost:8000")
        async with empty_database.platform_session() as session:
            await session.execute(text(f"CREATE SCHEMA {place.schema}"))
        async with empty_database.tenant_session(place) as session:
            await (await session.connection()).run_sync(TenantBase.metadata.create_all)
        return place

    return make
