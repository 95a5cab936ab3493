"""`saas tenants export`: one consistent snapshot of a tenant, in one file."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.base import utc_now
from tenants.branding import find_logo
from tenants.database import Database
from tenants.engine import quote_identifier
from tenants.errors import TransferRefused
from tenants.migrate.render import TENANT
from tenants.migrate.runner import lock
from tenants.registry import Registry, Tenant
from tenants.transfer.contents import Table, fingerprint, tables_of
from tenants.transfer.copying import copy_out, driver_of, set_forms
from tenants.transfer.entry import describe
from tenants.transfer.manifest import FORMAT, HEADER, LOGO, MANIFEST, SEAL, Manifest, TableEntry, TenantEntry, digest_of
from tenants.transfer.passphrase import Box, check_passphrase, context_of
from tenants.transfer.portable import Portable, SealedColumn
from tenants.transfer.tar import MAX_MEMBER, Writer

#: Rows done, and rows that there are.
Progress = Callable[[int, int], None]

#: Bytes that are gathered before they become a member.
_PIECE: Final = MAX_MEMBER // 2


@dataclass(frozen=True, slots=True)
class Exported:
    tenant: Tenant
    path: Path
    #: Of the file.
    size: int
    revision: str
    tables: int
    rows: int
    secrets: int


async def export_tenant(
    database: Database,
    registry: Registry,
    slug: str,
    path: Path,
    *,
    portable: Portable,
    passphrase: str,
    on_progress: Progress | None = None,
) -> Exported:
    """Write the tenant to a file, which has its name only when it is whole; the tenant is served meanwhile.

    What is sealed is sealed anew under the passphrase, and what `portable` leaves stays behind. Other rows are readable
    in the file. Raises TenantNotFound, TenantNotReady, SchemaBusy, TransferRefused, OSError, and what `portable.sealer`
    raises for what it cannot open.
    """
    box = await asyncio.to_thread(Box.new, check_passphrase(passphrase))
    async with database.platform_session() as session:
        tenant = await registry.get_made(session, slug)
        entry = await describe(session, tenant)
        logo = await find_logo(session, tenant.id)
    # The snapshot is of a later moment than the lock, which keeps migrations away.
    async with database.tenant_session(tenant) as held:
        await lock(held, tenant.schema)
        with Writer(path) as writer:
            async with database.tenant_session(tenant) as session:
                await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
                await set_forms(session)
                export = _Export(session, writer, portable, box, tenant)
                await export.add(HEADER, json.dumps({"format": FORMAT, "secrets": box.header()}).encode())
                if logo is not None:
                    await export.add(LOGO, logo.content)
                manifest = await export.run(entry, on_progress)
            content = manifest.model_dump_json().encode()
            if len(content) > MAX_MEMBER:
                raise TransferRefused(f"{slug} is too large for an archive: move it with `saas tenants move`")
            writer.add(MANIFEST, content)
            writer.add(SEAL, box.seal(b"", hashlib.sha256(content).digest()).encode())
            size = await asyncio.to_thread(writer.finish)
    return Exported(tenant, path, size, manifest.revision, len(manifest.tables), manifest.rows, manifest.secrets)


class _Export:
    def __init__(self, session: AsyncSession, writer: Writer, portable: Portable, box: Box, tenant: Tenant) -> None:
        self._session = session
        self._writer = writer
        self._portable = portable
        self._box = box
        self._tenant = tenant
        self._members: list[tuple[str, str]] = []

    async def run(self, entry: TenantEntry, on_progress: Progress | None) -> Manifest:
        revision = await self._session.scalar(select(TENANT.version_table))
        if revision is None:
            raise TransferRefused(f"The schema of {self._tenant.slug} has no revision: see `saas migrate verify`")
        tables = [table for table in await tables_of(self._session) if table.name not in self._portable.left]
        entries = [await self._entry(table) for table in tables]
        total, done = sum(each.rows for each in entries), 0

        def progressed(rows: int) -> None:
            nonlocal done
            done += rows
            if on_progress is not None:
                on_progress(done, total)

        for table in tables:
            await self._copy(table, progressed)
        secrets = await self._seal(tables)
        return Manifest(
            revision=revision,
            exported_at=utc_now(),
            tenant=entry,
            tables=tuple(entries),
            secrets=secrets,
            members=tuple(self._members),
        )

    async def add(self, name: str, content: bytes) -> None:
        self._members.append((name, digest_of(content)))
        await asyncio.to_thread(self._writer.add, name, content)

    async def _entry(self, table: Table) -> TableEntry:
        hashed = sorted(table.columns.keys() - self._portable.instead(table.name).keys())
        found = await fingerprint(self._session, table.name, hashed)
        return TableEntry(
            name=table.name,
            columns=tuple(sorted(table.columns)),
            hashed=tuple(hashed),
            rows=found.rows,
            digest=found.digest,
        )

    async def _copy(self, table: Table, on_rows: Callable[[int], None]) -> None:
        """In members of a bounded size, whatever the size of a row."""
        parts = _Parts(self, f"tables/{table.name}/{{:06}}.copy")

        async def write(piece: bytes) -> None:
            on_rows(piece.count(b"\n"))
            await parts.write(piece)

        await copy_out(self._session, table, write, self._portable.instead(table.name))
        await parts.finish()

    async def _seal(self, tables: list[Table]) -> int:
        """Secrets, a JSON line each: open them here, seal them under the passphrase."""
        parts, count = _Parts(self, "secrets/{:06}.jsonl"), 0
        for table in tables:
            for place in self._portable.of(table.name):
                async for key, by, sealed in self._sealed(table, place):
                    plain = self._portable.sealer.open(sealed, place.context(self._tenant.id, by))
                    record: dict[str, Any] = {"table": table.name, "column": place.column, "key": key, "by": by}
                    record["sealed"] = self._box.seal(plain, context_of(record))
                    await parts.write(json.dumps(record).encode() + b"\n")
                    count += 1
        await parts.finish()
        return count

    async def _sealed(
        self, table: Table, place: SealedColumn
    ) -> AsyncIterator[tuple[list[str], dict[str, str], bytes]]:
        """The row's primary key, what the place depends on, and the sealed value, of every row that has one."""
        names = [*table.key, *place.by]
        column = quote_identifier(place.column)
        query = (
            f"SELECT {', '.join(f'{quote_identifier(name)}::text' for name in names)}, {column} "  # noqa: S608 - quoted
            f"FROM {quote_identifier(table.name)} WHERE octet_length({column}) > 0"
        )
        driver, keys = await driver_of(self._session), len(table.key)
        async for row in driver.cursor(query, prefetch=500):
            values = list(row)
            yield values[:keys], dict(zip(place.by, values[keys:-1], strict=True)), values[-1]


class _Parts:
    """Bytes become members of a bounded size."""

    def __init__(self, export: _Export, name: str) -> None:
        self._export = export
        self._name = name
        self._pieces: list[bytes] = []
        self._size = 0
        self._count = 0

    async def write(self, piece: bytes) -> None:
        for start in range(0, len(piece), _PIECE):
            part = piece[start : start + _PIECE]
            self._pieces.append(part)
            self._size += len(part)
            if self._size >= _PIECE:
                await self.finish()

    async def finish(self) -> None:
        if self._pieces:
            self._count += 1
            content = b"".join(self._pieces)
            self._pieces, self._size = [], 0
            await self._export.add(self._name.format(self._count), content)
