"""A schema made by the script is the one that the revisions make."""

import shutil
from pathlib import Path
from typing import Any

from sqlalchemy import text

from migrations.flatten import flatten
from tenants import provisioning
from tenants.database import Database
from tenants.migrate.flat import FILE, load, steps_from_nothing
from tenants.migrate.render import TENANT, Scripts
from tenants.migrate.runner import execute_script, lock, make_schema
from tests.unit.tenants.conftest import Process, new_slug
from tests.unit.tenants.migrate.test_render import write
from tests.unit.tenants.migrate.test_revisions import catalog

_COLUMNS = text(
    "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
    "WHERE c.relnamespace = CAST(:schema AS regnamespace) AND c.relkind = 'r' AND a.attnum > 0 "
    "ORDER BY c.relname, a.attnum"
)


async def everything(database: Database, statements: tuple[str, ...]) -> tuple[set[tuple[Any, ...]], Any, Any]:
    """The catalog of a schema that the statements make, its columns in their order, and its rows; of nothing kept."""

    class Place:
        schema, database = f"t_{new_slug()}", "default"

    async with database.tenant_session(Place()) as session:
        await lock(session, Place.schema)
        await execute_script(session, f"CREATE SCHEMA {Place.schema};" + "\n".join(statements))
        columns = [tuple(row) for row in await session.execute(_COLUMNS, {"schema": Place.schema})]
        rows = {}
        for table in sorted({table for table, _ in columns}):
            found = await session.execute(text(f"SELECT CAST(t AS text) FROM {table} t"))
            rows[table] = sorted(found.scalars())
        made = await catalog(session, Place.schema)
        await session.rollback()
    return made, columns, rows


async def test_the_script_makes_what_the_revisions_make(empty_database: Database) -> None:
    assert (TENANT.location / FILE).read_text() == await flatten(empty_database), "run `python -m migrations.flatten`"
    flat = load(TENANT)
    assert flat is not None
    assert flat.revision == TENANT.head
    replayed = await everything(
        empty_database, tuple(statement for step in TENANT.steps for statement in step.statements)
    )
    assert len(replayed[0]) > 50
    assert await everything(empty_database, flat.statements) == replayed


async def test_a_new_schema_is_made_with_the_script_and_what_came_after_it(process: Process, tmp_path: Path) -> None:
    shutil.copytree(TENANT.location, tmp_path / "tenant", ignore=shutil.ignore_patterns("__pycache__"))
    write(tmp_path / "tenant", "9001", TENANT.head, 'op.add_column("projects", sa.Column("colour", sa.Text()))')
    longer = Scripts(tmp_path / "tenant")
    assert [step.revision for step in steps_from_nothing(longer)] == [TENANT.head, "9001"]
    tenant = await provisioning.create_row(process.database, process.registry, slug=new_slug(), name="X", plan="free")
    async with process.database.tenant_session(tenant) as session:
        await make_schema(session, tenant.schema, longer)
        assert await session.scalar(text("SELECT version_num FROM alembic_version")) == "9001"
        assert await session.scalar(text("SELECT count(colour) FROM projects")) == 0


def test_a_script_of_other_revisions_is_not_used(tmp_path: Path) -> None:
    shutil.copytree(TENANT.location, tmp_path / "tenant", ignore=shutil.ignore_patterns("__pycache__"))
    first = min((tmp_path / "tenant" / "versions").glob("*.py"))
    first.write_text(first.read_text().replace('sa.Column("name", sa.Text()', 'sa.Column("title", sa.Text()', 1))
    changed = Scripts(tmp_path / "tenant")
    assert load(changed) is None
    assert steps_from_nothing(changed) == changed.steps
