"""The HTTP protocol of our server: uvicorn's, with the head and the body of an answer in one write.

uvicorn writes one after the other, and the event loop hands each to the system: two calls, two packets, and a client
that is woken up twice. For a small answer that is a tenth of the work.
"""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Bytes that are held back for a moment; with more they go out at once, so that flow control sees them.
_MAX_HELD: Final = 65_536


class OneWriteProtocol(HttpToolsProtocol):
    """For HTTP alone: it does not hand its connection over to WebSockets."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(HoldingTransport(cast("asyncio.Transport", transport), self.loop))


class HoldingTransport(asyncio.Transport):
    """Holds what is written until the event loop turns, then writes it in one piece."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self._size = 0

    def write(self, data: Any) -> None:
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)
        self._size += len(data)
        if self._size > _MAX_HELD:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def _flush(self) -> None:
        if self._held and not self._transport.is_closing():  # the client may have gone meanwhile
            self._transport.write(b"".join(self._held))
        self._held.clear()
        self._size = 0
