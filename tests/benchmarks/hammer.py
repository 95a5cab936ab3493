"""`python -m tests.benchmarks.hammer`: processes that ask for one tenant as fast as they can, and what is let through.

In theory that is the burst, and the rate for as long as it took. Beside it a second tenant asks at a pace below its
limit: not one of its requests is refused.
"""

import argparse
import asyncio
import json
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from uuid import UUID, uuid4

import uvloop
from rich.console import Console
from rich.table import Table

from saas.ratelimit.decision import Limit, Quota, Rate
from saas.ratelimit.limiter import Limiter, Subject
from saas.settings import LimitsSettings
from tests.valkey import run_valkey

#: Requests a second that pass, and at once.
AMOUNT, BURST = 500, 200
#: A second, of the tenant beside: in each process.
PACE = 20
IN_FLIGHT = 10
LIMITS: tuple[Limit, ...] = (Rate("minute", AMOUNT * 60, BURST), Quota("day", 10**8, "day"))


@dataclass(frozen=True, slots=True)
class Counts:
    asked: int
    admitted: int
    #: Decided without Valkey: then the theory does not hold.
    alone: int
    #: Seconds since the epoch of this machine's clock, of the first answer and the last.
    first: float
    last: float

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.asked + other.asked,
            self.admitted + other.admitted,
            self.alone + other.alone,
            min(self.first, other.first),
            max(self.last, other.last),
        )


def hammer(url: str, hammered: UUID, beside: UUID, start: float, seconds: float) -> tuple[Counts, Counts]:
    """In a process of its own; of both tenants."""
    return uvloop.run(_hammer(url, hammered, beside, start, seconds))


async def _hammer(url: str, hammered: UUID, beside: UUID, start: float, seconds: float) -> tuple[Counts, Counts]:
    limiter = Limiter(url, LimitsSettings(timeout=5))
    await limiter.open()
    await asyncio.sleep(max(0.0, start - time.time()))

    async def as_fast_as_it_goes() -> None:
        pass

    async def at_a_pace() -> None:
        await asyncio.sleep(1 / PACE)

    fast = [_ask(limiter, hammered, start + seconds, as_fast_as_it_goes) for _ in range(IN_FLIGHT)]
    *counts, paced = await asyncio.gather(*fast, _ask(limiter, beside, start + seconds, at_a_pace))
    await limiter.close()
    return total(counts), paced


async def _ask(limiter: Limiter, tenant: UUID, until: float, pause: Callable[[], Awaitable[None]]) -> Counts:
    asked = admitted = alone = 0
    first = time.time()
    while time.time() < until:
        verdict = await limiter.check(Subject(tenant, counts=True), LIMITS)
        asked += 1
        admitted += verdict.allowed
        alone += verdict.degraded
        await pause()
    return Counts(asked, admitted, alone, first, time.time())


def total(counts: list[Counts]) -> Counts:
    first, *others = counts
    for other in others:
        first += other
    return first


def run(processes: int, seconds: float) -> tuple[Counts, Counts]:
    tenants = uuid4(), uuid4()
    with run_valkey() as valkey, ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        start = time.time() + 2 + processes / 2  # until then all of them have been started
        found = [pool.submit(hammer, valkey.url, *tenants, start, seconds) for _ in range(processes)]
        results = [each.result() for each in found]
    return total([fast for fast, _ in results]), total([paced for _, paced in results])


def in_theory(counts: Counts) -> float:
    return BURST + AMOUNT * (counts.last - counts.first)


def table(hammered: Counts, beside: Counts, processes: int) -> Table:
    shown = Table(title=f"{processes} processes, one limit: {AMOUNT} a second, {BURST} at once")
    for column in ("", "asked", "admitted", "in theory", "off by", "refused", "decided alone"):
        shown.add_column(column, justify="left" if not column else "right")
    theory = in_theory(hammered)
    for name, counts, expected in (
        ("hammered", hammered, theory),
        (f"beside it, {PACE * processes} a second", beside, beside.asked),
    ):
        shown.add_row(
            *(name, f"{counts.asked:,}", f"{counts.admitted:,}", f"{expected:,.0f}"),
            *(f"{counts.admitted / expected - 1:+.2%}", f"{counts.asked - counts.admitted:,}", f"{counts.alone:,}"),
        )
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    hammered, beside = run(options.processes, options.seconds)
    if options.json:
        found = {"hammered": asdict(hammered) | {"in_theory": in_theory(hammered)}, "beside": asdict(beside)}
        print(json.dumps(found))
    else:
        Console(width=110).print(table(hammered, beside, options.processes))


if __name__ == "__main__":
    main()
