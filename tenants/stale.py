"""Statements that were prepared before a migration, and the requests that meet them.

A connection keeps prepared statements. A migration that adds columns, tables, indexes or constraints leaves them as
they are: we name our columns. One that changes a column's type makes PostgreSQL refuse them ("cached plan must not
change result type"), and so do two tenants whose types differ while the migration is under way. The transaction is
then undone by the server, so the request can begin anew, this time with nothing that was prepared before.
"""

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
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


class Attempt:
    """One try at a request: what its transactions tell of it, what was read and what was answered."""

    __slots__ = ("_messages", "_method", "_receive", "_send", "_size", "fresh", "stale", "started", "wrote")

    def __init__(self, method: str, receive: Receive, send: Send, *, fresh: bool = False) -> None:
        self._method = method
        self._receive = receive
        self._send = send
        #: The body as it comes, kept for a second reading; None where it is too long.
        self._messages: list[Message] | None = []
        self._size = 0
        #: Nothing that was prepared before may be used.
        self.fresh = fresh
        #: A transaction met a stale statement, and was undone.
        self.stale = False
        #: A transaction may have changed something, and was committed.
        self.wrote = False
        #: The answer has begun.
        self.started = False

    def may_be_repeated(self) -> bool:
        """Whether that is as if this attempt had never been."""
        unseen = not self.started and self._messages is not None
        return self.stale and unseen and (self._method in _SAFE or not self.wrote)

    async def receive(self) -> Message:
        message = await self._receive()
        if self._messages is not None:
            self._size += len(message.get("body", b""))
            self._messages.append(message)
            if self._size > _MAX_KEPT:
                self._messages = None
        return message

    async def send(self, message: Message) -> None:
        if not self.started and message["type"] == "http.response.start":
            if message["status"] >= _ERROR and self.may_be_repeated():
                raise _Again
            self.started = True
        await self._send(message)

    def replay(self) -> Receive:
        kept = iter(self._messages or ())

        async def receive() -> Message:
            return next(kept, None) or await self._receive()

        return receive


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
def watched(info: dict[Any, Any]) -> Iterator[None]:
    """Around a session's transaction, with its info: tell the attempt that it belongs to what became of it."""
    try:
        yield
    except BaseException as error:
        failed(error)
        raise
    if info.get(_WROTE):
        wrote()


def failed(error: BaseException) -> None:
    """A transaction was undone for it."""
    attempt = _current.get()
    if attempt is not None and is_stale(error):
        attempt.stale = True


def wrote() -> None:
    """A transaction that may have changed something was committed."""
    attempt = _current.get()
    if attempt is not None:
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
        attempt = Attempt(scope["method"], receive, send)
        token = _current.set(attempt)
        try:
            await self._app(scope, attempt.receive, attempt.send)
        except Exception:
            if not attempt.may_be_repeated():
                raise
            scope.clear()
            scope.update(before)
            replay = attempt.replay()
            _current.set(Attempt(scope["method"], replay, send, fresh=True))
            await self._app(scope, replay, send)
        finally:
            _current.reset(token)
