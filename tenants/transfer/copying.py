"""Rows through COPY, a piece at a time: out of one transaction, and into another."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.engine import quote_identifier
from tenants.errors import CopyDiffers
from tenants.migrate.runner import execute_script, lock
from tenants.transfer.contents import FORMS, Table

#: Pieces of a COPY (some kilobytes each) that wait for a database that is slower than the other.
_WAITING: Final = 64
_AS_IS: Final[Mapping[str, str]] = MappingProxyType({})


async def begin(session: AsyncSession, subject: str) -> None:
    """Lock `subject` (see `lock`), and let values have the same form everywhere. Raises SchemaBusy."""
    await lock(session, subject)
    await set_forms(session)


async def set_forms(session: AsyncSession) -> None:
    """In a transaction that has begun."""
    await execute_script(session, FORMS)


async def driver_of(session: AsyncSession) -> Any:
    """The driver's connection. Before the session's first statement it is in no transaction."""
    connection = await (await session.connection()).get_raw_connection()
    return connection.driver_connection


async def copy_out(
    session: AsyncSession, table: Table, write: Callable[[bytes], Awaitable[None]], instead: Mapping[str, str] = _AS_IS
) -> None:
    """Hand the table's rows to `write`, in COPY's text format, columns by name; some have an expression `instead`."""
    columns = ", ".join(instead.get(name) or quote_identifier(name) for name in sorted(table.columns))
    query = f"SELECT {columns} FROM {quote_identifier(table.name)}"  # noqa: S608 - names of the catalog, quoted
    await (await driver_of(session)).copy_from_query(query, output=write)


async def copy_in(session: AsyncSession, table: str, columns: Collection[str], pieces: AsyncIterator[bytes]) -> int:
    """Fill the table; how many rows. Raises CopyDiffers where the database does not take them."""
    driver = await driver_of(session)
    try:
        status: str = await driver.copy_to_table(table, source=pieces, columns=sorted(columns))
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        raise CopyDiffers(f"The rows of {table} do not fit: {error}") from error
    return int(status.removeprefix("COPY "))


async def copy_over(source: AsyncSession, target: AsyncSession, table: Table, on_rows: Callable[[int], None]) -> int:
    """From one transaction into the other; how many rows. `on_rows` is told of those that are on the way."""
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING)

    async def pieces() -> AsyncIterator[bytes]:
        while (piece := await queue.get()) is not None:
            on_rows(piece.count(b"\n"))
            yield piece

    async def read() -> None:
        await copy_out(source, table, queue.put)
        await queue.put(None)

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(read())
            written = tasks.create_task(copy_in(target, table.name, table.columns, pieces()))
    except ExceptionGroup as group:
        raise group.exceptions[0] from group
    return written.result()


async def empty(session: AsyncSession, tables: Sequence[str]) -> None:
    """Take out the few rows that revisions put into new tables, which are in the order in which they can be filled."""
    for table in reversed(tables):
        await execute_script(session, f"DELETE FROM {quote_identifier(table)}")  # noqa: S608 - quoted


async def drop_schema(session: AsyncSession, schema: str) -> None:
    """With all that is in it, in a transaction that has begun. Raises SchemaBusy."""
    await execute_script(session, f"DROP SCHEMA IF EXISTS {quote_identifier(schema)} CASCADE")


async def schema_exists(session: AsyncSession, schema: str) -> bool:
    query = text("SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = :schema)")
    return bool(await session.scalar(query, {"schema": schema}))
