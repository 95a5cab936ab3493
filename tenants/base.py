"""Declarative bases: in which schema a table lives, and the columns that every table has."""

import os
import time
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, MetaData, Text, Uuid
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

#: The schema of the registry. Always written out in SQL, since it is never on the search path.
PLATFORM_SCHEMA = "platform"

_COLUMN_TYPES = {
    UUID: Uuid(),
    str: Text(),
    int: BigInteger(),
    datetime: DateTime(timezone=True),
}


class PlatformBase(DeclarativeBase):
    """A table above all tenants, in the schema `platform`."""

    metadata = MetaData(schema=PLATFORM_SCHEMA)
    type_annotation_map = _COLUMN_TYPES


class TenantBase(DeclarativeBase):
    """A table that each tenant has in its own schema: never schema-qualified, found through the search path.

    No ENUM types, no foreign keys to the platform, explicit constraint names, `lazy="raise"` on relationships.
    """

    metadata = MetaData()
    type_annotation_map = _COLUMN_TYPES


def utc_now() -> datetime:
    return datetime.now(UTC)


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): time-ordered, so that primary keys are appended to the end of their index."""
    raw = bytearray((time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(10))
    raw[6] = raw[6] & 0x0F | 0x70
    raw[8] = raw[8] & 0x3F | 0x80
    return UUID(bytes=bytes(raw))


class Identified:
    """Mixin: a client-side UUIDv7 primary key."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)


class Timestamped:
    """Mixin: when the row was made and last changed, in UTC, computed here and not by the database."""

    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)
