"""A client's back channel: a real HTTP server on the loopback interface that keeps what it is sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs


@dataclass
class Receiver:
    """Answers `status` after `delay` seconds, with `extra` header lines and then `body`, which may be endless."""

    status: int = 200
    delay: float = 0.0
    extra: str = ""
    port: int = 0
    received: list[dict[str, list[str]]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}/logout"

    @property
    def tokens(self) -> list[str]:
        return [form["logout_token"][0] for form in self.received]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(head)
            length = next(
                int(line.partition(":")[2]) for line in head.splitlines() if line.lower().startswith("content-length")
            )
            self.received.append(parse_qs((await reader.readexactly(length)).decode()))
            await asyncio.sleep(self.delay)
            writer.write(f"HTTP/1.1 {self.status} Whatever\r\n{self.extra}Content-Length: 0\r\n\r\n".encode())
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the sender has lost its patience
        finally:
            writer.close()


@asynccontextmanager
async def receiving(receiver: Receiver) -> AsyncIterator[Receiver]:
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await server.wait_closed()
