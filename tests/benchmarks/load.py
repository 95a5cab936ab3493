"""A load generator in one process: it keeps N connections busy and counts answers. Prints one JSON line."""

import asyncio
import json
import random
import re
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import uvloop


@dataclass
class Tally:
    deadline: float
    answers: int = 0
    #: Seconds that each flow took.
    times: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """One request of a flow. `take` finds, in its answer, a value for the `{placeholder}` that it is named after."""

    request: str
    status: bytes
    take: re.Pattern[str] | None


class Connection(asyncio.Protocol):
    """Walks through the steps again and again, each as soon as the answer before it is complete, until the deadline.

    Each walk takes one of `choices` at random, if there are any: values of placeholders, as a tenant and its token.
    `pause`: seconds that it waits before a walk, on average, as a person does who reads the answer; 0: it never waits.
    """

    def __init__(  # noqa: PLR0917 - the job's parts
        self,
        steps: list[Step],
        values: dict[str, str],
        choices: list[dict[str, str]],
        pause: float,
        tally: Tally,
        done: asyncio.Future[None],
    ) -> None:
        self._steps = steps
        self._values = values
        self._choices = choices
        self._pause = pause
        self._tally = tally
        self._done = done
        self._buffer = b""
        self._at = 0
        self._next = [step.request.encode() for step in steps]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self._walk()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[:head_end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < head_end + 4 + length:
            return
        step = self._steps[self._at]
        if self._buffer[9:12] != step.status or not self._take(step):
            self._tally.failures.append(self._buffer[: head_end + 400].decode(errors="replace"))
            self._transport.close()
            return
        self._buffer = b""
        self._at = (self._at + 1) % len(self._steps)
        if self._at:
            self._send()
            return
        self._tally.answers += 1
        self._tally.times.append(time.perf_counter() - self._began)
        self._walk()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _take(self, step: Step) -> bool:
        if step.take is None:
            return True
        found = step.take.search(self._buffer.decode())
        self._values.update(found.groupdict() if found else {})
        return found is not None

    def _walk(self) -> None:
        if self._pause:
            asyncio.get_running_loop().call_later(random.expovariate(1 / self._pause), self._begin)
        else:
            self._begin()

    def _begin(self) -> None:
        self._began = time.perf_counter()
        if self._began >= self._tally.deadline:
            self._transport.close()
            return
        if self._choices:
            self._values.update(random.choice(self._choices))
        self._send()

    def _send(self) -> None:
        request = self._next[self._at]
        for name, value in self._values.items():
            request = request.replace(b"{%s}" % name.encode(), value.encode())
        self._transport.write(request)


async def run(  # noqa: PLR0917 - the job's parts
    port: int,
    steps: list[Step],
    values: list[dict[str, str]],
    choices: list[dict[str, str]],
    pause: float,
    seconds: float,
) -> Tally:
    """One connection for each of `values`, which holds what its placeholders begin with."""
    loop = asyncio.get_running_loop()
    tally = Tally(time.perf_counter() + seconds)
    ends: list[asyncio.Future[None]] = []
    for mine in values:
        end = loop.create_future()
        await loop.create_connection(partial(Connection, steps, mine, choices, pause, tally, end), "127.0.0.1", port)
        ends.append(end)
    await asyncio.gather(*ends)
    return tally


def main() -> None:
    """Standard input: the job. Standard output: flows that were completed, seconds, the first failures."""
    job = json.load(sys.stdin)
    steps = [
        Step(step["request"], step["status"].encode(), re.compile(step["take"]) if step["take"] else None)
        for step in job["steps"]
    ]
    started = time.perf_counter()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        tally = runner.run(run(job["port"], steps, job["values"], job["choices"], job["pause"], job["seconds"]))
    elapsed = time.perf_counter() - started
    times = sorted(tally.times) or [0.0]
    answer = {"answers": tally.answers, "seconds": elapsed, "failures": tally.failures[:3], "values": job["values"]}
    shares = {f"p{share}": times[len(times) * share // 100] for share in (50, 95, 99)}
    print(json.dumps(answer | shares))


if __name__ == "__main__":
    main()
