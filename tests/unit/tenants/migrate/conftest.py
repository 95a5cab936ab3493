"""Databases where nobody else's tenants are, and revisions that are made for the test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import insert

from tenants.base import new_id
from tenants.database import Database
from tenants.migrate.plan import Behind, behind
from tenants.migrate.render import TENANT, Scripts
from tenants.migrate.rollout import migrate_all
from tenants.migrate.runner import migrate_platform
from tenants.models import TenantRow
from tenants.names import schema_name
from tests.unit.tenants.conftest import Process
from tests.unit.tenants.migrate.test_render import write

#: `await many(40)`: so many active tenants, all at the first of two revisions.
Many = Callable[[int], Awaitable[list[Behind]]]


@pytest.fixture
async def alone(empty_database: Database) -> AsyncIterator[Process]:
    """A process on a database of its own, where `migrate_all` finds nobody else's tenants."""
    process = Process.start(empty_database.engine.url.render_as_string(hide_password=False))
    await migrate_platform(process.database)
    yield process
    await process.database.close()


@pytest.fixture
def longer(tmp_path: Path) -> Scripts:
    """The tenants' revisions and two more."""
    (tmp_path / "versions").mkdir()
    for file in (TENANT.location / "versions").glob("*.py"):
        (tmp_path / "versions" / file.name).write_text(file.read_text())
    write(tmp_path, "9001", TENANT.head, 'op.add_column("projects", sa.Column("colour", sa.Text()))')
    write(tmp_path, "9002", "9001", 'op.create_index("projects_colour_idx", "projects", ["colour"])')
    return Scripts(tmp_path)


@pytest.fixture
def small(tmp_path: Path) -> Scripts:
    """Two revisions, of which the second can tell how often it ran, and takes a moment."""
    write(tmp_path, "a1", None, 'op.create_table("runs", sa.Column("n", sa.BigInteger(), primary_key=True))')
    write(
        tmp_path, "a2", "a1", "op.execute('INSERT INTO runs SELECT count(*) + length(pg_sleep(0.01)::text) FROM runs')"
    )
    return Scripts(tmp_path)


@pytest.fixture
def many(alone: Process, small: Scripts, tmp_path_factory: pytest.TempPathFactory) -> Many:
    async def make(count: int) -> list[Behind]:
        ids = [new_id() for _ in range(count)]
        rows = [
            {"id": each, "slug": f"s{number:04}", "name": "X", "host": f"{number}.example", "plan": "free"}
            | {"schema": schema_name(each), "status": "active"}
            for number, each in enumerate(ids)
        ]
        async with alone.database.platform_session() as session:
            await session.execute(insert(TenantRow), rows)
        first = tmp_path_factory.mktemp("first")
        write(first, "a1", None, 'op.create_table("runs", sa.Column("n", sa.BigInteger(), primary_key=True))')
        assert (await migrate_all(alone.database, scripts=Scripts(first))).failed == {}
        return await behind(alone.database, small)

    return make
