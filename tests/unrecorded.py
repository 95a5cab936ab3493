"""Watches what tests make the product do: a transaction that changes a tenant's tables writes an event.

What tests change themselves, with statements of their own, is their affair: only statements that come from the
product's code count.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Any, Final

import greenlet
import pytest
from sqlalchemy import Connection, Engine, event

from migrations.metadata import TENANT
from tenants.direct import Direct, Record
from tenants.statements import Statement

_ROOT: Final = Path(__file__).parents[1]
#: What runs statements for others.
_CARRIERS: Final = {str(_ROOT / "tenants" / name) for name in ("database.py", "direct.py", "engine.py")}
_CHANGE: Final = re.compile(r"(?:\bINSERT INTO|(?<!FOR )(?<!DO )\bUPDATE|\bDELETE FROM)\s+(\w+)")
_EVENTS: Final = "audit_events"
#: Uses of what was given, and what they leave behind: answers, codes, tokens, proofs, deliveries. A link is mailed, and
#: used, on the way to something that is an event.
_USES: Final = {
    "kept_answers",
    "mailed_links",
    "oauth_assertions",
    "oauth_codes",
    "oauth_device_codes",
    "oauth_logout_deliveries",
    "oauth_pushed_requests",
    "oauth_refresh_families",
    "oauth_revocations",
    "oauth_session_clients",
    "spent_challenges",
    "usage_batches",
    "usage_hours",
}
_WATCHED: Final = frozenset(TENANT.tables) - _USES
#: Statements that change nothing that anybody decides, by a part of them.
_NO_CHANGE: Final = (
    "UPDATE sessions SET last_seen_at=",  # a session is used
    "UPDATE users SET email_verified_at=",  # a mailed link is used
)
#: Functions of the product whose changes are no events by themselves: what has run out is cleaned up, a right password
#: is hashed anew, and what `onboard` does is one event.
_NO_EVENT: Final = {"purge", "confirm", "create_first", "create_owner"}


class Watch:
    """`found`: what was committed without an event since it was last asked."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._changed: dict[int, dict[str, str]] = {}

    def statement(self, transaction: object, sql: str) -> None:
        tables = _changed_by(sql)
        if not tables:
            return
        place = _place()
        if place is not None:
            for table in tables:
                self._changed.setdefault(id(transaction), {}).setdefault(table, place)

    def begun(self, transaction: object) -> None:
        self._changed.pop(id(transaction), None)

    def committed(self, transaction: object) -> None:
        changed = self._changed.pop(id(transaction), {})
        if changed and _EVENTS not in changed:
            self.found += [f"{table}: {place}" for table, place in changed.items()]


@lru_cache(maxsize=1000)
def _changed_by(sql: str) -> frozenset[str]:
    """The tables of which a change is an event, or is one."""
    if any(part in sql for part in _NO_CHANGE):
        return frozenset()
    return (_WATCHED | {_EVENTS}).intersection(_CHANGE.findall(sql))


@contextmanager
def watching() -> Iterator[Watch]:
    watch = Watch()

    def executed(connection: Connection, cursor: Any, sql: str, *_: Any) -> None:
        if cursor.rowcount != 0:
            watch.statement(connection, sql)

    listeners: dict[str, Callable[..., Any]] = {
        "after_cursor_execute": executed,
        "begin": watch.begun,
        "commit": watch.committed,
    }
    for name, listener in listeners.items():
        event.listen(Engine, name, listener)
    row, rows, commit = Direct.row, Direct.rows, Direct.commit

    async def watched_row(self: Direct, statement: Statement, **values: Any) -> Record | None:
        watch.statement(self, statement.sql)
        return await row(self, statement, **values)

    async def watched_rows(self: Direct, statement: Statement, **values: Any) -> list[Record]:
        watch.statement(self, statement.sql)
        return await rows(self, statement, **values)

    async def watched_commit(self: Direct) -> None:
        await commit(self)
        watch.committed(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Direct, "row", watched_row)
        patch.setattr(Direct, "rows", watched_rows)
        patch.setattr(Direct, "commit", watched_commit)
        yield watch
    for name, listener in listeners.items():
        event.remove(Engine, name, listener)


def _place() -> str | None:
    """The line of the product that changes something; None where a test does, or what needs no event."""
    first: FrameType | None = None
    for frame in _frames():
        path = frame.f_code.co_filename
        if not path.startswith(str(_ROOT)) or path in _CARRIERS or path == __file__:
            continue
        if first is None:
            if path.startswith(str(_ROOT / "tests")):
                return None
            first = frame
        if frame.f_code.co_name in _NO_EVENT:
            return None
    return None if first is None else f"{first.f_code.co_filename}:{first.f_lineno} {first.f_code.co_name}"


def _frames() -> Iterator[FrameType]:
    """From the inside out; SQLAlchemy runs statements in a greenlet, whose caller waits in another one."""
    frame: FrameType | None = sys._getframe()
    current: greenlet.greenlet | None = greenlet.getcurrent()
    while current is not None:
        while frame is not None:
            yield frame
            frame = frame.f_back
        current = current.parent
        frame = current.gr_frame if current is not None else None
