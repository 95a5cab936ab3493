"""Who is behind, in one query each: what `saas migrate` works through and `/readyz` asks."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Text, func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from tenants.database import DEFAULT, Database
from tenants.errors import TenantNotFound
from tenants.migrate.render import PLATFORM, TENANT, Scripts
from tenants.models import TenantRow

#: The share of tenants that may be behind without a process being unready.
_MAY_BE_BEHIND: Final = 0.01
#: Seconds that another database than the registry's has to say what it is at.
_ANSWER: Final = 1.0
#: Those whose schema is whole, and nobody else's to change. A deleted one may be restored.
_MADE: Final = ("active", "suspended", "deleted")
_COLUMNS: Final = select(TenantRow.id, TenantRow.slug, TenantRow.schema, TenantRow.database, TenantRow.revision)


@dataclass(frozen=True, slots=True)
class Behind:
    """A tenant and the revision that the registry knows of its schema: an older one, or none, where it is behind."""

    id: UUID
    slug: str
    schema: str
    database: str
    revision: str | None


async def platform_revision(database: Database, name: str = DEFAULT) -> str | None:
    """The revision of a database's platform schema; None where it was never migrated."""
    async with database.platform_session(name) as session:
        exists = select(func.to_regclass(PLATFORM.version_table.fullname, type_=Text()).is_not(None))
        if not await session.scalar(exists):
            return None
        revision: str | None = await session.scalar(select(PLATFORM.version_table))
        return revision


async def platform_is_behind(database: Database, scripts: Scripts = PLATFORM, name: str = DEFAULT) -> bool:
    """Whether `saas migrate` has work on a platform schema. One that is ahead of this code is not behind."""
    revision = await platform_revision(database, name)
    return revision is None or revision in scripts.older


async def behind(database: Database, scripts: Scripts = TENANT) -> list[Behind]:
    """Tenants that `saas migrate` has to move, by slug; those being made or deleted are left to who does that."""
    async with database.platform_session() as session:
        rows = await session.execute(_COLUMNS.where(*_is_behind(scripts)).order_by(TenantRow.slug))
        return [Behind(*row) for row in rows]


async def made(database: Database, slugs: Collection[str] = ()) -> list[Behind]:
    """Tenants with a whole schema, by slug: all, or those named. Raises TenantNotFound where one is not among them."""
    query = _COLUMNS.where(TenantRow.status.in_(_MADE)).order_by(TenantRow.slug)
    if slugs:
        query = query.where(TenantRow.slug.in_(slugs))
    async with database.platform_session() as session:
        found = [Behind(*row) for row in await session.execute(query)]
    unknown = set(slugs) - {tenant.slug for tenant in found}
    if unknown:
        raise TenantNotFound(f"There is no tenant {min(unknown)!r}: `saas tenants list` shows those that exist")
    return found


async def readiness(database: Database) -> str | None:
    """Why this code should not serve the database yet, for `/readyz`; None where it should.

    A schema that is ahead is none: while a release is rolled out, its migration has run and the old code still serves.
    Of tenants that are behind, one in a hundred is no reason either: they have an answer of their own (see
    `tenants.resolver`), and what keeps one of them from being migrated must not keep all others from being served.
    """
    if await platform_is_behind(database):
        return "the platform's schema is behind: run `saas migrate`"
    others = await asyncio.gather(*(_reachable_and_behind(database, name) for name in database.names[1:]))
    if any(others):
        late = ", ".join(name for name, is_late in zip(database.names[1:], others, strict=True) if is_late)
        return f"the platform's schema in {late} is behind: run `saas migrate`"
    counts = select(func.count().filter(*_is_behind(TENANT)), func.count()).where(TenantRow.status.in_(_MADE))
    async with database.platform_session() as session:
        waiting, total = (await session.execute(counts)).one()
    if waiting <= total * _MAY_BE_BEHIND:
        return None
    return f"{waiting} of the tenants' schemas are behind: run `saas migrate`"


async def _reachable_and_behind(database: Database, name: str) -> bool:
    """Whether the platform's schema there is behind. Where nobody answers it is not: that is no fault of this code,
    and only the tenants that are there cannot be served."""
    try:
        async with asyncio.timeout(_ANSWER):
            return await platform_is_behind(database, name=name)
    except (SQLAlchemyError, OSError):
        return False


def _is_behind(scripts: Scripts) -> tuple[ColumnElement[bool], ...]:
    return (
        or_(TenantRow.revision.is_(None), TenantRow.revision.in_(scripts.older)),
        TenantRow.status.in_(_MADE),
    )
