"""`saas tenants move`: to another database, with a short pause and without losing or doubling a row.

1. The fence: the tenant is `moving`, and its requests wait; the journal says where from and where to.
2. In one transaction on the old database every table is locked against writers, copied, and compared with its copy,
   which is committed in the new one. Nobody is sent there yet.
3. The old schema gets another name, and the registry names the new database: one transaction where the registry shares
   the old one's, else the name first. A process that has missed the news finds no table, and writes to no old copy.

Killed before 3, the old schema still has its name: whoever comes next copies again, or undoes the fence. Killed within
it, the old name is gone: whoever comes next finishes.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.database import Database
from tenants.engine import quote_identifier
from tenants.errors import CopyDiffers, TenancyError, TransferRefused
from tenants.migrate.drift import describe, differences
from tenants.migrate.message import ATTEMPTS, LOCK_TIMEOUT_MS, PAUSE, TABLE_LOCK_TIMEOUT_MS
from tenants.migrate.plan import platform_is_behind
from tenants.migrate.render import TENANT
from tenants.migrate.runner import TablesBusy, execute_script, make_schema
from tenants.migrate.verify import Verifier
from tenants.registry import Registry, Tenant
from tenants.transfer import journal
from tenants.transfer.contents import Fingerprint, Table, fingerprint, tables_of
from tenants.transfer.copying import begin, copy_over, drop_schema, empty, schema_exists, set_forms
from tenants.transfer.journal import Move

#: Seconds for the news of the fence to reach every process, those included that miss its message and look for it.
SETTLE: Final = 1.0

Progress = Callable[[int, int], None]
How = Literal["moved", "resumed", "finished", "rolled back"]


@dataclass(frozen=True, slots=True)
class Moved:
    """`how`: `resumed` copied again what a killed move had begun; `finished` only had to switch; `rolled back` serves
    the tenant where it was. `pause` is for how many seconds this process held requests. Of `finished` and `rolled
    back` nobody counts the rows."""

    slug: str
    source: str
    target: str
    how: How
    tables: int
    rows: int
    pause: float
    #: When the old copy is dropped.
    drop_at: datetime | None


class Mover:
    """`told` is called with a session in the new place and the move, in the transaction that copies."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        *,
        told: Callable[[AsyncSession, Move], None] | None = None,
        on_progress: Progress | None = None,
        settle: float | None = None,
    ) -> None:
        self._database = database
        self._registry = registry
        self._told = told
        self._on_progress = on_progress
        self._settle = SETTLE if settle is None else settle
        self._rows: dict[str, int] = {}

    async def move(self, slug: str, to: str | None, keep: timedelta) -> Moved:
        """Move the tenant, or go on with a move that was stopped; its old copy is dropped when `keep` is over.

        What fails before the switch is undone, and the tenant is served where it was. Raises TransferRefused, which
        says so, TenantNotFound, TenantNotReady, DatabaseNotFound and SchemaBusy.
        """
        async with self._database.platform_session() as session:
            begun = await journal.find(session, slug)
        if begun is None:
            tenant = await self._check(slug, to)
            async with self._database.platform_session() as session:
                begun = await journal.fence(session, self._registry, slug, to or tenant.database, keep)
        elif to not in {None, begun.target}:
            raise TransferRefused(
                f"{slug} is on its way to {begun.target}: finish with `saas tenants move {slug}`, or undo it with "
                f"`saas tenants move {slug} --rollback`"
            )
        started = time.monotonic()
        await asyncio.sleep(self._settle)
        try:
            copied, drop_at = await self._patiently(begun)
        except BaseException as error:
            await self._undo(begun, error)
            raise
        how: How = ("resumed" if begun.resumed else "moved") if copied else "finished"
        pause = time.monotonic() - started
        return _moved(begun, how, self._rows, round(pause, 3), drop_at)

    async def roll_back(self, slug: str) -> Moved:
        """Serve the tenant where it was. Raises TransferRefused where nothing is under way, or it is too late."""
        async with self._database.platform_session() as session:
            begun = await journal.find(session, slug)
        if begun is None:
            raise TransferRefused(f"{slug} is not on its way: there is nothing to undo")
        if not await self._restore(begun):
            raise TransferRefused(
                f"{slug} has all but arrived in {begun.target}: finish with `saas tenants move {slug}`"
            )
        return _moved(begun, "rolled back", {}, 0.0, None)

    async def _check(self, slug: str, to: str | None) -> Tenant:
        """Whatever speaks against it, before anybody has to wait. Raises TransferRefused and DatabaseNotFound."""
        async with self._database.platform_session() as session:
            tenant = await self._registry.get_made(session, slug)
        if to is None:
            raise TransferRefused(f"{slug} is not on its way: say where to with --to (`saas databases list`)")
        self._database.engine_of(to)
        if to == tenant.database:
            raise TransferRefused(f"{slug} is in the database {to} already")
        if await platform_is_behind(self._database, name=to):
            raise TransferRefused(f"The database {to} is not ready: run `saas migrate`")
        async with self._database.tenant_session(tenant) as session:
            revision = str(await session.scalar(select(TENANT.version_table)))
            found = await describe(session)
        drifted = differences(found, await Verifier(self._database).expected(to, revision))
        if drifted:
            raise TransferRefused(
                f"The schema of {slug} is not what its revision says ({drifted[0]}): mend it with "
                f"`saas migrate verify --repair`"
            )
        return tenant

    async def _patiently(self, move: Move) -> tuple[bool, datetime]:
        """Transactions that have begun go first."""
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._carry(move)
            except TablesBusy:
                await asyncio.sleep(PAUSE)
        return await self._carry(move)

    async def _carry(self, move: Move) -> tuple[bool, datetime]:
        """Copy, unless that is done, and switch; whether it had to copy, and when the old copy is dropped."""
        async with self._database.registry_and_schema(move.origin) as (rows, source):
            await begin(rows, f"the move of {move.slug}")
            await journal.check_open(rows, move)
            await begin(source, move.schema)
            copies = not await schema_exists(source, move.kept.schema)
            if copies:
                tables = await tables_of(source)
                await _stop_writers(source, tables)
                await self._copy(move, source, tables)
                names = quote_identifier(move.schema), quote_identifier(move.kept.schema)
                await execute_script(source, f"ALTER SCHEMA {names[0]} RENAME TO {names[1]}")
            return copies, await journal.switch(rows, move)

    async def _copy(self, move: Move, source: AsyncSession, tables: list[Table]) -> None:
        revision = await source.scalar(select(TENANT.version_table))
        prints = {table.name: await fingerprint(source, table.name, table.columns) for table in tables}
        self._rows = {name: found.rows for name, found in prints.items()}
        total, done = sum(self._rows.values()), 0

        def progressed(rows: int) -> None:
            nonlocal done
            done += rows
            if self._on_progress is not None:
                self._on_progress(done, total)

        async with self._database.tenant_session(move.destination) as target:
            await begin(target, move.schema)
            await drop_schema(target, move.schema)
            await make_schema(target, move.schema, target=revision)
            await set_forms(target)
            await empty(target, list(prints))
            for table in tables:
                await copy_over(source, target, table, progressed)
            for table in tables:
                _check_same(table, prints[table.name], await fingerprint(target, table.name, table.columns))
            if self._told is not None:
                self._told(target, move)

    async def _undo(self, move: Move, error: BaseException) -> None:
        """After what went wrong. Raises TransferRefused, which says what became of the tenant."""
        try:
            restored = await self._restore(move)
        except (DBAPIError, OSError) as second:
            raise TransferRefused(
                f"The move of {move.slug} was stopped, and its requests wait: when the databases answer, finish with "
                f"`saas tenants move {move.slug}`, or undo it with --rollback ({second})"
            ) from error
        if isinstance(error, Exception):
            cause = str(error) if isinstance(error, TenancyError) else str(getattr(error, "orig", None) or error)
            became = "was rolled back: it is served as before" if restored else "is all but done: run this again"
            raise TransferRefused(f"The move of {move.slug} {became}. {cause}") from error

    async def _restore(self, move: Move) -> bool:
        """Undo the fence, and what there is of a copy; False where the old schema has given up its name."""
        async with self._database.registry_and_schema(move.origin) as (rows, source):
            await begin(rows, f"the move of {move.slug}")
            await journal.check_open(rows, move)
            if source is not rows:
                await begin(source, move.schema)
            if await schema_exists(source, move.kept.schema):
                return False
            async with self._database.tenant_session(move.destination) as target:
                await begin(target, move.schema)
                await drop_schema(target, move.schema)
            await journal.unfence(rows, move)
            return True


async def _stop_writers(session: AsyncSession, tables: list[Table]) -> None:
    """Wait until no transaction has written to any table, and let nobody write; a short while. Raises TablesBusy."""
    names = ", ".join(quote_identifier(table.name) for table in tables)
    await execute_script(
        session,
        f"SET LOCAL lock_timeout = {TABLE_LOCK_TIMEOUT_MS}; LOCK TABLE {names} IN EXCLUSIVE MODE; "
        f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}",
    )


def _check_same(table: Table, original: Fingerprint, copy: Fingerprint) -> None:
    if original != copy:
        raise CopyDiffers(f"{table.name} has {original.rows} rows, and {copy.rows} others in the copy")


def _moved(move: Move, how: How, rows: dict[str, int], pause: float, drop_at: datetime | None) -> Moved:
    return Moved(move.slug, move.source, move.target, how, len(rows), sum(rows.values()), pause, drop_at)
