"""The rules for tables that let one code run on plain PostgreSQL, behind PgBouncer and on sharded schemas."""

from collections.abc import Iterator

import pytest
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    DateTime,
    Enum,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase

from migrations.metadata import PLATFORM, TENANT
from tenants.base import PLATFORM_SCHEMA, PlatformBase, TenantBase

_MAX_NAME = 63
_TYPES = (Text, BigInteger, Uuid, DateTime, Boolean, Float, LargeBinary, ARRAY, JSONB)


def tables() -> Iterator[tuple[MetaData, Table]]:
    for metadata in (PLATFORM, TENANT):
        for table in metadata.tables.values():
            yield metadata, table


@pytest.mark.parametrize(("metadata", "table"), list(tables()), ids=lambda value: getattr(value, "name", ""))
def test_a_table_keeps_the_rules(metadata: MetaData, table: Table) -> None:
    assert table.primary_key.columns, "every table has a primary key"
    assert table.schema == (PLATFORM_SCHEMA if metadata is PLATFORM else None)
    for column in table.columns:
        assert not isinstance(column.type, Enum), "text and CHECK, since an ENUM is a type of each schema"
        assert not isinstance(column.type, SmallInteger)
        assert not isinstance(column.type, Integer) or isinstance(column.type, BigInteger), "bigint, never int"
        assert isinstance(column.type, _TYPES), f"{column.name}: a type that every schema shares, and PostgreSQL has"
        assert not isinstance(column.type, DateTime) or column.type.timezone, "times have a zone"
        assert column.server_default is None, "defaults are computed here"
        assert column.server_onupdate is None, "changes are computed here"
        assert column.computed is None
        assert column.identity is None
        assert not isinstance(column.default, Sequence)
        assert column.autoincrement is not True, "keys are made here"
    for constraint in table.constraints - {table.primary_key}:
        assert constraint.name, "every constraint has a name"
        assert len(str(constraint.name)) <= _MAX_NAME
    for index in table.indexes:
        assert len(str(index.name)) <= _MAX_NAME
    for foreign in table.foreign_key_constraints:
        assert foreign.referred_table.schema == table.schema, "foreign keys stay inside one schema"
        assert not foreign.deferrable
        assert not foreign.initially
    assert not any(getattr(constraint, "deferrable", None) for constraint in table.constraints)


@pytest.mark.parametrize("metadata", [PLATFORM, TENANT], ids=["platform", "tenant"])
def test_there_is_nothing_but_tables(metadata: MetaData) -> None:
    """No triggers and no functions either: they would be listeners that run DDL when a table is made."""
    for target in (metadata, *metadata.tables.values()):
        assert not target.dispatch.before_create
        assert not target.dispatch.after_create


@pytest.mark.parametrize("base", [PlatformBase, TenantBase])
def test_relationships_never_load_by_themselves(base: type[DeclarativeBase]) -> None:
    for mapper in base.registry.mappers:
        for relationship in mapper.relationships:
            assert relationship.lazy == "raise", f"{mapper.class_.__name__}.{relationship.key}"
