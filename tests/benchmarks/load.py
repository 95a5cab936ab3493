"""A load generator in one process: it keeps N connections busy and counts answers. Prints one JSON line."""

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from typing import cast

import uvloop


@dataclass
class Tally:
    status: bytes
    deadline: float
    answers: int = 0
    failures: list[str] = field(default_factory=list)


class Connection(asyncio.Protocol):
    """Sends the same request again as soon as its answer is complete, until the deadline."""

    def __init__(self, request: bytes, tally: Tally, done: asyncio.Future[None]) -> None:
        self._request = request
        self._tally = tally
        self._done = done
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[:head_end].lower()
        at = head.index(b"content-length:") + 15
        length = int(head[at:].split(b"\r\n", 1)[0])
        if len(self._buffer) < head_end + 4 + length:
            return
        if self._buffer[9:12] != self._tally.status:
            self._tally.failures.append(self._buffer[: head_end + 400].decode(errors="replace"))
            self._transport.close()
            return
        self._buffer = b""
        self._tally.answers += 1
        if time.perf_counter() < self._tally.deadline:
            self._transport.write(self._request)
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)


async def run(port: int, request: bytes, status: str, seconds: float, connections: int) -> Tally:
    loop = asyncio.get_running_loop()
    tally = Tally(status.encode(), time.perf_counter() + seconds)
    ends = [loop.create_future() for _ in range(connections)]
    for end in ends:
        await loop.create_connection(lambda end=end: Connection(request, tally, end), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*ends)
    return tally


def main() -> None:
    job = json.loads(sys.argv[1])
    started = time.perf_counter()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        tally = runner.run(run(job["port"], job["request"].encode(), job["status"], job["seconds"], job["connections"]))
    elapsed = time.perf_counter() - started
    print(json.dumps({"answers": tally.answers, "seconds": elapsed, "failures": tally.failures[:3]}))


if __name__ == "__main__":
    main()
