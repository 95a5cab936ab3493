"""Is each schema what its revision says: compared with a schema that the same revisions make, and mended where safe."""

import secrets
from dataclasses import dataclass, field

from sqlalchemy import Text, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.database import Database
from tenants.engine import quote_identifier
from tenants.migrate.drift import Catalog, Difference, describe, differences
from tenants.migrate.message import script_of
from tenants.migrate.plan import Behind
from tenants.migrate.render import TENANT, Scripts
from tenants.migrate.runner import execute_script, lock, migrate_tenant


@dataclass(slots=True)
class Report:
    """One tenant's: what is wrong with it, in words, and what was."""

    slug: str
    remaining: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)


class Verifier:
    """Compares schemas; what a revision should look like is found out once for each database."""

    def __init__(self, database: Database, scripts: Scripts = TENANT) -> None:
        self._database = database
        self._scripts = scripts
        self._expected: dict[tuple[str, str], Catalog] = {}

    async def verify(self, tenant: Behind, *, repair: bool = False) -> Report:
        """Compare one tenant's schema with what its own revision says, and that with the registry.

        `repair` adds what is missing where no row speaks against it. It drops nothing and changes no type. Raises
        SchemaBusy, and InvalidRevision where the schema is ahead of this code.
        """
        report = Report(tenant.slug)
        async with self._database.tenant_session(tenant) as session:
            await lock(session, tenant.schema)
            revision = await self._revision(session)
            if revision is None:
                report.remaining.append(f"schema {tenant.schema} is missing, or has no revision")
                return report
            await self._compare(session, await self.expected(tenant.database, revision), report, repair=repair)
        if revision != tenant.revision:
            words = f"registry: says revision {tenant.revision or 'none'}, the schema is at {revision}"
            if repair:  # what the schema says goes
                await migrate_tenant(self._database, tenant, self._scripts, revision)
            (report.repaired if repair else report.remaining).append(words)
        return report

    async def expected(self, database: str, revision: str) -> Catalog:
        """What the revisions up to this one make: in a schema that nobody ever sees. Raises InvalidRevision."""
        known = self._expected.get((database, revision))
        if known is not None:
            return known
        steps = self._scripts.between(None, revision)
        name = quote_identifier(f"reference_{secrets.token_hex(8)}")
        version = "CREATE TABLE alembic_version (version_num varchar(32) CONSTRAINT alembic_version_pkc PRIMARY KEY)"
        async with self._database.platform_session(database) as session:
            await lock(session, name)  # a script needs a transaction that has begun
            begin = f"CREATE SCHEMA {name}; SET LOCAL search_path TO {name}; {version};\n"
            await execute_script(session, begin + script_of(steps))
            catalog = await describe(session)
            await session.rollback()
        self._expected[database, revision] = catalog
        return catalog

    async def _revision(self, session: AsyncSession) -> str | None:
        table = self._scripts.version_table
        if await session.scalar(select(func.to_regclass(table.name, type_=Text()))) is None:
            return None
        revision: str | None = await session.scalar(select(table))
        return revision

    async def _compare(self, session: AsyncSession, expected: Catalog, report: Report, *, repair: bool) -> None:
        found = differences(await describe(session), expected)
        if repair and found:
            causes = await _repair(session, found)
            left = differences(await describe(session), expected)
            report.repaired += [str(each) for each in found if each not in left]
            report.remaining += [_explained(each, causes.get(str(each))) for each in left]
        else:
            report.remaining += [str(each) for each in found]


async def _repair(session: AsyncSession, found: list[Difference]) -> dict[str, str]:
    """Mend what can be mended; returns why it was refused, by the difference's words. Keys and indexes come first."""
    causes: dict[str, str] = {}
    for each in sorted(found, key=lambda each: (each.expected or "").startswith("FOREIGN KEY")):
        if each.repair is None:
            continue
        savepoint = await session.begin_nested()
        try:
            await session.execute(text(each.repair.replace(":", r"\:")))
            await savepoint.commit()
        except DBAPIError as error:
            await savepoint.rollback()
            causes[str(each)] = str(error.orig).partition(": ")[2] or str(error.orig)
    return causes


def _explained(difference: Difference, cause: str | None) -> str:
    return f"{difference} (not repaired: {cause})" if cause else str(difference)
