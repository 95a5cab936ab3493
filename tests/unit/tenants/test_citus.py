"""What goes out with SAAS_DATABASE_KIND=citus. Citus itself is not at hand: a stand-in notes down what it would do."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from tenants.base import new_id
from tenants.database import Database
from tenants.errors import SchemaNotDistributed
from tenants.migrate.runner import make_schema, migrate_platform
from tests.unit.tenants.test_recycling import Place

#: Citus distributes a schema that is created while its setting is on, and lists it in `citus_schemas`.
_STAND_IN = (
    "CREATE SCHEMA stand_in",
    "CREATE TABLE stand_in.distributed (schema_name regnamespace)",
    """CREATE FUNCTION stand_in.note() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
           IF current_setting('citus.enable_schema_based_sharding', true) = 'on' THEN
               INSERT INTO stand_in.distributed SELECT objid FROM pg_event_trigger_ddl_commands();
           END IF; END $$""",
    "CREATE EVENT TRIGGER note ON ddl_command_end WHEN TAG IN ('CREATE SCHEMA') EXECUTE FUNCTION stand_in.note()",
    "SET LOCAL allow_system_table_mods = on",
    "CREATE VIEW pg_catalog.citus_schemas AS SELECT schema_name FROM stand_in.distributed",
)
_LISTED = text("SELECT schema_name::text FROM citus_schemas")


@pytest.fixture
async def citus(empty_database: Database) -> AsyncIterator[Database]:
    url = empty_database.engine.url.render_as_string(hide_password=False)
    database = Database(url, kind="citus", pool_size=1)
    yield database
    await database.close()


async def _stand_in(database: Database) -> None:
    async with database.platform_session() as session:
        for statement in _STAND_IN:
            await session.execute(text(statement))


async def test_schemas_of_tenants_are_distributed_and_the_platforms_is_not(citus: Database) -> None:
    await _stand_in(citus)
    await migrate_platform(citus)
    place = Place(f"t_{new_id().hex}")
    async with citus.tenant_session(place) as session:
        await make_schema(session, place.schema)
    async with citus.platform_session() as session:  # on the same connection: the setting ended with its transaction
        await session.execute(text("CREATE SCHEMA plain"))
        assert (await session.scalars(_LISTED)).all() == [place.schema]


async def test_one_that_is_not_distributed_is_refused_and_leaves_nothing(citus: Database) -> None:
    await _stand_in(citus)
    async with citus.platform_session() as session:
        await session.execute(text("CREATE SCHEMA made_before"))
    with pytest.raises(SchemaNotDistributed, match="citus_schema_distribute"):
        await _make(citus, "made_before")
    async with citus.platform_session() as session:
        assert await session.scalar(text("SELECT to_regclass('made_before.alembic_version')::text")) is None


async def test_a_database_without_citus_is_told_as_such(citus: Database) -> None:
    with pytest.raises(SchemaNotDistributed, match="SAAS_DATABASE_KIND=postgresql"):
        await _make(citus, "t_one")


async def test_on_postgresql_nobody_asks(empty_database: Database) -> None:
    await _stand_in(empty_database)
    await _make(empty_database, "t_one")
    async with empty_database.platform_session() as session:
        assert (await session.scalars(_LISTED)).all() == []


async def _make(database: Database, schema: str) -> None:
    async with database.tenant_session(Place(schema)) as session:
        await make_schema(session, schema)
