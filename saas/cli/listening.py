"""The HTTP server of `saas dev` and `saas serve`: its socket, its options, how it stops."""

import errno
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

import uvicorn

from saas.cli import output
from saas.cli.runtime import stop_signals
from saas.kit.garbage import started

_BACKLOG: Final = 2048
#: What both commands want of uvicorn. Addresses behind proxies are ours to find (`saas.web.address`).
OPTIONS: Final[dict[str, Any]] = {
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,
    "lifespan": "on",
    "http": "saas.web.protocol:OneWriteProtocol",
    "loop": "uvloop",
    "ws": "none",
    "backlog": _BACKLOG,
}


def listen(host: str, port: int) -> socket.socket:
    """Take the address before any long work; port 0 takes a free one. Ends the command where it cannot be had."""
    try:
        family, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        step = "end what uses it, or choose another --port" if error.errno == errno.EADDRINUSE else "choose another"
        output.fail(f"Cannot listen on {host} port {port} ({_reason(error)}): {step}")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).partition(" (while")[0]


class Server(uvicorn.Server):
    """Calls `on_ready` once requests are answered. A signal ends it well: the command's exit code is 0."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        started()
        if self.started:
            self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but at the end the signals are not raised again, and more of them change nothing.

        An exception out of a signal handler while the event loop closes can leave it waiting for ever.
        """
        numbers = stop_signals()
        for number in numbers:
            signal.signal(number, self.handle_exit)
        try:
            yield
        finally:
            for number in numbers:
                signal.signal(number, _ignore)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Unlike SIG_IGN, not inherited by children."""
