"""Who is behind, in one query each: what `saas migrate` works through and `/readyz` asks."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Text, func, or_, select

from tenants.database import Database
from tenants.migrate.render import PLATFORM, TENANT, Scripts
from tenants.models import TenantRow


@dataclass(frozen=True, slots=True)
class Behind:
    """A tenant whose schema is at an older revision, or at none."""

    id: UUID
    slug: str
    schema: str
    revision: str | None


async def platform_revision(database: Database) -> str | None:
    """The platform schema's revision; None where it was never migrated."""
    async with database.platform_session() as session:
        exists = select(func.to_regclass(PLATFORM.version_table.fullname, type_=Text()).is_not(None))
        if not await session.scalar(exists):
            return None
        revision: str | None = await session.scalar(select(PLATFORM.version_table))
        return revision


async def platform_is_behind(database: Database, scripts: Scripts = PLATFORM) -> bool:
    """Whether `saas migrate` has work on the platform's schema. One that is ahead of this code is not behind."""
    revision = await platform_revision(database)
    return revision is None or revision in scripts.older


async def behind(database: Database, scripts: Scripts = TENANT) -> list[Behind]:
    """Tenants that `saas migrate` has to move, by slug; those being made or deleted are left to who does that."""
    columns = select(TenantRow.id, TenantRow.slug, TenantRow.schema, TenantRow.revision)
    async with database.platform_session() as session:
        rows = await session.execute(columns.where(*_is_behind(scripts)).order_by(TenantRow.slug))
        return [Behind(*row) for row in rows]


async def readiness(database: Database) -> str | None:
    """Why this code should not serve the database yet, for `/readyz`; None where every schema is at the head."""
    if await platform_is_behind(database):
        return "the platform's schema is behind: run `saas migrate`"
    async with database.platform_session() as session:
        waiting = await session.scalar(select(func.count()).where(*_is_behind(TENANT)))
    return f"{waiting} of the tenants' schemas are behind: run `saas migrate`" if waiting else None


def _is_behind(scripts: Scripts) -> tuple[ColumnElement[bool], ...]:
    return (
        or_(TenantRow.revision.is_(None), TenantRow.revision.in_(scripts.older)),
        TenantRow.status.in_(("active", "suspended")),
    )
