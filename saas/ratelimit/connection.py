"""One connection that runs one script, for all that an event loop asks at the same time.

Checks that arrive while the server is busy with others go out together, in one write: at 50 in flight this takes a
fraction of the processor time that a connection for each check takes.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import hiredis

from saas.kit.redis import Address

_Argument = str | bytes | int
_NOTHING: Final = object()


class Unavailable(Exception):
    """No answer. All that fail for the same cause, at the same moment, fail with the same object."""


class ScriptError(Exception):
    """The server refused to run the script: out of memory, read-only, still loading."""


class _Call:
    __slots__ = ("command", "deadline", "future", "packed")

    def __init__(self, future: "asyncio.Future[Any]", command: tuple[_Argument, ...], deadline: float) -> None:
        """Raises UnicodeEncodeError here, where it harms no other call."""
        self.future = future
        self.command = command
        self.packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]  # the stub says: a tuple of one
        #: Of the loop's clock. Sending moves it: a busy loop is not the server's delay.
        self.deadline = deadline


class _Link(asyncio.Protocol):
    """One connection's life. Answers belong to calls by their order, so it ends with the first call that is late."""

    def __init__(self, owner: "ScriptConnection") -> None:
        self._owner = owner
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self._transport: asyncio.Transport | None = None
        #: Sent and not answered, in the order of sending.
        self.sent: deque[_Call] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # both connectors make stream transports

    def send(self, calls: Sequence[_Call]) -> None:
        self.sent.extend(calls)
        if self._transport is not None:
            self._transport.write(b"".join([call.packed for call in calls]))

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while (answer := self._reader.gets()) is not _NOTHING:
                self._owner.answered(self.sent.popleft(), answer)
        except (hiredis.ProtocolError, IndexError):
            self._owner.lost(self, Unavailable("The server does not speak the Redis protocol"))
            return
        if not self.sent:
            self._owner.idle(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._owner.lost(self, Unavailable(f"The connection was closed: {exc or 'by the server'}"))

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class ScriptConnection:
    """`timeout` is how long an answer may take, and how long a call waits for a connection; `connect_timeout` how long
    an attempt to connect goes on; seconds.

    It connects when it is asked and is not connected. `batch` bounds how many calls go out in one write, so that those
    of other processes get their turn.
    """

    def __init__(
        self, address: Address | str, script: str, *, timeout: float, connect_timeout: float = 1.0, batch: int = 128
    ) -> None:
        self.address = Address.parse(address) if isinstance(address, str) else address
        self._script = script
        self._digest = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._batch = batch
        self._link: _Link | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._waiting: deque[_Call] = deque()
        self._flush_is_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        #: How often it has connected: what the server held may be gone each time.
        self.connected = 0

    async def open(self) -> bool:
        """Connect now rather than at the first call; whether that worked."""
        if self._link is None:
            await asyncio.wait([self._start_connecting()])
        return self._link is not None

    async def close(self) -> None:
        """Fail what is under way, and all later calls, with Unavailable."""
        self._closed = True
        self.drop(Unavailable("The connection is closed"))
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._timer is not None:
            self._timer.cancel()

    def run(self, keys: Sequence[str], arguments: Sequence[_Argument]) -> "asyncio.Future[Any]":
        """The script's answer. The future fails with Unavailable or ScriptError.

        A call that is cancelled before it was sent is not sent; the answer to one cancelled later is thrown away.
        """
        return self.command("EVALSHA", self._digest, len(keys), *keys, *arguments)

    def command(self, *command: _Argument) -> "asyncio.Future[Any]":
        """The answer to any command that answers once, as of `run`."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if self._closed:
            future.set_exception(Unavailable("The connection is closed"))
            return future
        self._waiting.append(_Call(future, command, loop.time() + self._timeout))
        self._soon(loop)
        if self._timer is None:
            self._timer = loop.call_at(self._waiting[0].deadline, self._look_at_the_clock)
        return future

    def drop(self, error: Unavailable) -> None:
        """Close the connection and fail what is under way; the next call connects again."""
        link, self._link = self._link, None
        calls = [*(link.sent if link else ()), *self._waiting]
        self._waiting.clear()
        if link is not None:
            link.abort()
        for call in calls:
            if not call.future.done():
                call.future.set_exception(error)

    # What a link tells

    def answered(self, call: _Call, answer: Any) -> None:
        if call.future.done():
            return
        if not isinstance(answer, hiredis.ReplyError):
            call.future.set_result(answer)
        elif str(answer).startswith("NOSCRIPT") and call.command[0] == "EVALSHA":
            self._waiting.appendleft(_Call(call.future, ("EVAL", self._script, *call.command[2:]), call.deadline))
        else:
            call.future.set_exception(ScriptError(str(answer)))

    def idle(self, link: _Link) -> None:
        if link is self._link and self._waiting:
            # Not at once: those whose answers came first may have more to ask.
            self._soon(asyncio.get_running_loop())

    def lost(self, link: _Link, error: Unavailable) -> None:
        if link is self._link:
            self.drop(error)
            return
        link.abort()
        for call in link.sent:
            if not call.future.done():
                call.future.set_exception(error)

    # Sending

    def _soon(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._flush_is_due and not (self._link and self._link.sent):
            self._flush_is_due = True
            loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_is_due = False
        if self._link is None:
            if self._waiting:
                self._start_connecting()
            return
        if self._link.sent:
            return
        calls: list[_Call] = []
        deadline = asyncio.get_running_loop().time() + self._timeout
        while self._waiting and len(calls) < self._batch:
            call = self._waiting.popleft()
            if not call.future.done():
                call.deadline = deadline
                calls.append(call)
        if calls:
            self._link.send(calls)

    def _start_connecting(self) -> "asyncio.Task[None]":
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect())
        return self._connecting

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(self._connect_timeout):
                link = await self.address.connect(lambda: _Link(self))
                try:
                    await self._greet(link)
                except BaseException:
                    link.abort()
                    raise
            self._link = link
            self.connected += 1
            self._flush()
        except (OSError, ScriptError, Unavailable) as error:  # a timeout is an OSError
            self.drop(Unavailable(f"Cannot connect: {error or 'no answer in time'}"))
        finally:
            self._connecting = None

    async def _greet(self, link: _Link) -> None:
        loop = asyncio.get_running_loop()
        commands = [*self.address.greeting, ("SCRIPT", "LOAD", self._script)]
        calls = [_Call(loop.create_future(), command, 0.0) for command in commands]
        link.send(calls)
        await asyncio.gather(*(call.future for call in calls))

    # Time

    def _look_at_the_clock(self) -> None:
        """Give up when the oldest call is late. One timer for all calls, which is not reset by each of them."""
        loop = asyncio.get_running_loop()
        self._timer = None
        if self._link is not None and self._link.sent:
            deadline = self._link.sent[0].deadline
        elif not self._waiting:
            return
        elif self._link is not None:  # they are about to be sent
            deadline = loop.time() + self._timeout
        else:
            deadline = self._waiting[0].deadline
        if loop.time() < deadline:
            self._timer = loop.call_at(deadline, self._look_at_the_clock)
        else:
            self.drop(Unavailable(f"No answer within {self._timeout:g} s"))
