"""Delete what is past its time, a bounded number of rows at once. Transactions are the caller's."""

from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Table, delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession


async def purge_rows(session: AsyncSession, table: Table, condition: ColumnElement[bool], limit: int) -> int:
    """Delete at most `limit` rows; how many. Nothing is waited for: rows that others have locked are left for later."""
    old = select(*table.primary_key.columns).where(condition).limit(limit).with_for_update(of=table, skip_locked=True)
    statement = delete(table).where(tuple_(*table.primary_key.columns).in_(old))
    deleted: CursorResult[Any] = await session.execute(statement)  # type: ignore[assignment]  # what DML yields
    return deleted.rowcount
