"""An archive's rows and secrets become those of a schema that is empty, in one transaction."""

import asyncio
import itertools
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from tenants.engine import quote_identifier
from tenants.errors import CopyDiffers, InvalidArchive
from tenants.transfer.contents import Fingerprint, Table, fingerprint, tables_of
from tenants.transfer.copying import copy_in, driver_of, empty
from tenants.transfer.manifest import LOGO, Archive, TableEntry
from tenants.transfer.passphrase import context_of
from tenants.transfer.portable import Portable, SealedColumn

#: Secrets that are written with one statement.
_BATCH: Final = 500
_Parts = Iterator[tuple[str, bytes]]


class Load:
    """`skipped` are tables of the archive that stay empty."""

    def __init__(
        self, session: AsyncSession, archive: Archive, portable: Portable, tenant_id: UUID, skipped: frozenset[str]
    ) -> None:
        self._session = session
        self._archive = archive
        self._portable = portable
        self._tenant_id = tenant_id
        self._skipped = skipped
        self._done = 0
        self._secrets_seen = 0

    async def run(self, on_progress: Callable[[int, int], None] | None) -> int:
        """How many rows there are now. Raises CopyDiffers and InvalidArchive."""
        manifest = self._archive.manifest
        tables = {table.name: table for table in await tables_of(self._session)}
        parts = itertools.groupby(self._archive.parts(), key=lambda part: part[0].rpartition("/")[0] or part[0])
        await empty(self._session, [entry.name for entry in manifest.tables if entry.name not in self._skipped])
        by_name = {f"tables/{entry.name}": entry for entry in manifest.tables}
        for name, group in parts:
            if name == LOGO:
                continue
            if name == "secrets":
                await self._secrets(tables, group)
                continue
            entry = by_name.get(name)
            if entry is None:
                raise InvalidArchive(f"The archive holds {name}, which its manifest does not name")
            if entry.name not in self._skipped:
                await copy_in(self._session, entry.name, entry.columns, _contents(group))
                self._done += entry.rows
            if on_progress is not None:
                on_progress(self._done, manifest.rows)
        if self._secrets_seen != manifest.secrets:
            raise CopyDiffers(f"{self._secrets_seen} of {manifest.secrets} secrets arrived: nothing was imported")
        for entry in manifest.tables:
            if entry.name not in self._skipped:
                await self._check(entry)
        return sum(entry.rows for entry in manifest.tables if entry.name not in self._skipped)

    async def _check(self, entry: TableEntry) -> None:
        found = await fingerprint(self._session, entry.name, entry.hashed)
        if found != Fingerprint(entry.rows, entry.digest):
            raise CopyDiffers(
                f"{entry.name} has {found.rows} rows that are not the {entry.rows} of the archive: nothing was imported"
            )

    async def _secrets(self, tables: dict[str, Table], parts: _Parts) -> None:
        """Open what is sealed under the passphrase, and seal it for the new tenant. Raises CopyDiffers."""
        waiting: dict[SealedColumn, list[tuple[list[str], bytes]]] = defaultdict(list)
        places = {(place.table, place.column): place for place in self._portable.sealed}
        async for record in _records(parts):
            self._secrets_seen += 1
            plain = self._archive.box.open(record["sealed"], context_of(record))
            place = places.get((record["table"], record["column"]))
            if place is None:
                raise InvalidArchive(
                    f"The archive seals {record['table']}.{record['column']}, which is not sealed here"
                )
            if place.table in self._skipped:
                continue
            sealed = self._portable.sealer.seal(plain, place.context(self._tenant_id, record["by"]))
            waiting[place].append((record["key"], sealed))
            if len(waiting[place]) >= _BATCH:
                await self._write(tables[place.table], place, waiting.pop(place))
        for place, rows in waiting.items():
            await self._write(tables[place.table], place, rows)

    async def _write(self, table: Table, place: SealedColumn, rows: list[tuple[list[str], bytes]]) -> None:
        names = [f"k{number}" for number in range(len(table.key))]
        same = (
            f"t.{quote_identifier(key)} = s.{name}::{table.columns[key]}"
            for key, name in zip(table.key, names, strict=True)
        )
        arrays = [f"${number + 1}::text[]" for number in range(len(names))] + [f"${len(names) + 1}::bytea[]"]
        query = (
            f"UPDATE {quote_identifier(table.name)} AS t SET {quote_identifier(place.column)} = s.v "  # noqa: S608 - names of the catalog, quoted
            f"FROM unnest({', '.join(arrays)}) AS s({', '.join([*names, 'v'])}) WHERE {' AND '.join(same)}"
        )
        keys = list(zip(*(key for key, _ in rows), strict=True))
        driver = await driver_of(self._session)
        status: str = await driver.execute(query, *map(list, keys), [sealed for _, sealed in rows])
        if status != f"UPDATE {len(rows)}":
            raise CopyDiffers(f"Secrets of {table.name} belong to rows that are not there: nothing was imported")


async def _contents(parts: _Parts) -> AsyncIterator[bytes]:
    """Read, and unpacked, beside whatever else is done."""
    while (part := await asyncio.to_thread(next, parts, None)) is not None:
        yield part[1]


async def _records(parts: _Parts) -> AsyncIterator[dict[str, Any]]:
    """Lines may go over from one part to the next."""
    rest = b""
    async for content in _contents(parts):
        *lines, rest = (rest + content).split(b"\n")
        for line in lines:
            yield json.loads(line)
    if rest:
        raise InvalidArchive("The archive's secrets end too early: get an intact copy")
