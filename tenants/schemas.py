"""Make a tenant's schema: on Citus a distributed one, which lives whole on one of the nodes."""

from typing import Final

from sqlalchemy import Text, cast, func, literal, literal_column, select, table
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.engine import quote_identifier
from tenants.errors import SchemaNotDistributed

#: In the info of a session that is bound to a tenant's schema: its database distributes schemas.
DISTRIBUTES: Final = "tenants.distributes"

#: Only within the transaction, so that it reaches no other through a pooler.
_SHARD: Final = "SET LOCAL citus.enable_schema_based_sharding = on;"
_CITUS_SCHEMAS: Final = table("citus_schemas", schema="pg_catalog")


def creation(session: AsyncSession, schema: str) -> str:
    """The statements that make the schema of this transaction, unless it is there."""
    create = f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(schema)};"
    return _SHARD + create if session.info.get(DISTRIBUTES) else create


async def check_created(session: AsyncSession, schema: str) -> None:
    """Raises SchemaNotDistributed where the schema should be distributed and is not."""
    if not session.info.get(DISTRIBUTES):
        return
    exists = select(func.to_regclass("pg_catalog.citus_schemas", type_=Text()).is_not(None))
    if not await session.scalar(exists):
        raise SchemaNotDistributed(
            "SAAS_DATABASE_KIND is citus, and this database has no citus_schemas: create the extension citus (12 or "
            "later) there, or set SAAS_DATABASE_KIND=postgresql"
        )
    # The column is a regnamespace. The view's sizes, which cost a look at every shard, are left out.
    name = cast(literal_column("schema_name"), Text())
    found = select(literal(1)).select_from(_CITUS_SCHEMAS).where(name.in_((schema, quote_identifier(schema))))
    if await session.scalar(found) is None:
        raise SchemaNotDistributed(
            f"Citus does not list {schema} in citus_schemas: the role needs CREATE on the database of the coordinator; "
            f"one that was made before is distributed by SELECT citus_schema_distribute('{schema}')"
        )
