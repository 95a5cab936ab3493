"""Statements that were prepared before a migration, and the requests that meet them.

A connection keeps prepared statements. A migration that adds columns, tables, indexes or constraints leaves them as
they are: we name our columns. One that changes a column's type makes PostgreSQL refuse them ("cached plan must not
change result type"), and so do two tenants whose types differ while the migration is under way. The transaction is
then undone by the server, so the request can begin anew, this time with nothing that was prepared before.
"""

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import ORMExecuteState, Session

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110 section 9.2.1
#: Bytes of a body that are kept for a second attempt; a request with more has one.
_MAX_KEPT: Final = 1 << 20
_ERROR: Final = 500
_WROTE: Final = "tenants.wrote"


@dataclass(slots=True)
class Attempt:
    """One try at a request: what its transactions tell of it."""

    #: Nothing that was prepared before may be used.
    fresh: bool = False
    #: A transaction met a stale statement, and was undone.
    stale: bool = False
    #: A transaction may have changed something, and was committed.
    wrote: bool = False


_current: Final[ContextVar[Attempt | None]] = ContextVar("tenants.attempt", default=None)


class WatchedSession(Session):
    """Knows whether it may have changed something."""


@event.listens_for(WatchedSession, "do_orm_execute")
def _executing(state: ORMExecuteState) -> None:
    if not state.is_select:
        state.session.info[_WROTE] = True


@event.listens_for(WatchedSession, "after_flush")
def _flushed(session: Session, _context: object) -> None:
    session.info[_WROTE] = True


def wants_fresh() -> bool:
    """This is a second attempt: only what is prepared from now on will do."""
    attempt = _current.get()
    return attempt is not None and attempt.fresh


@contextmanager
def watched(info: dict[Any, Any], *, read_only: bool = False, direct: bool = False) -> Iterator[None]:
    """Around a transaction, with its info: tell the attempt that it belongs to what became of it."""
    attempt = _current.get()
    try:
        yield
    except BaseException as error:
        if attempt is not None and is_stale(error):
            attempt.stale = True
        raise
    if attempt is not None and not read_only and (direct or info.get(_WROTE)):
        attempt.wrote = True


def is_stale(error: BaseException) -> bool:
    """Whether the database refused a statement only since it was prepared before a change of the schema, or since the
    tenant was moved to another database while the request was on its way."""
    cause = error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig is not None else error
    return isinstance(cause, (asyncpg.InvalidCachedStatementError, asyncpg.UndefinedTableError))


class _Again(Exception):
    """Thrown into the application where it begins to answer with an error that a second attempt will not meet."""


class FreshAttemptMiddleware:
    """Tries a request again that met a stale statement, where that is as if the first attempt had never been.

    That is so where nothing was sent, and either the method is safe or no change was committed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        before = dict(scope)
        body = _Kept(receive)
        attempt, started = Attempt(), False

        async def watch(message: Message) -> None:
            nonlocal started
            if not started and message["type"] == "http.response.start":
                if message["status"] >= _ERROR and may_repeat():
                    raise _Again
                started = True
            await send(message)

        def may_repeat() -> bool:
            return attempt.stale and not started and body.whole and (scope["method"] in _SAFE or not attempt.wrote)

        token = _current.set(attempt)
        try:
            await self._app(scope, body.receive, watch)
        except Exception:
            if not may_repeat():
                raise
            scope.clear()
            scope.update(before)
            _current.set(Attempt(fresh=True))
            await self._app(scope, body.replay(), send)
        finally:
            _current.reset(token)


class _Kept:
    """The body as it comes, kept for a second reading."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []
        self._size = 0
        self.whole = True

    async def receive(self) -> Message:
        message = await self._receive()
        if self.whole:
            self._size += len(message.get("body", b""))
            self.whole = self._size <= _MAX_KEPT
            self._messages.append(dict(message))
            if not self.whole:
                self._messages.clear()
        return message

    def replay(self) -> Receive:
        kept = iter(self._messages)

        async def receive() -> Message:
            return next(kept, None) or await self._receive()

        return receive
