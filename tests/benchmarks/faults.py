"""`python -m tests.benchmarks.faults`: what requests see while Valkey is killed, paused, full, or restarted empty.

One process asks at a steady pace, as a server under load does; a second one shares the limit. Over-admission is what
both let through of the tenant's limit, beyond what the limit allows over the whole time.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import uvloop
from rich.console import Console
from rich.table import Table

from saas.kit.redis import open_client
from saas.ratelimit.decision import Limit, Quota, Rate
from saas.ratelimit.limiter import Limiter, Subject
from saas.settings import LimitsSettings
from tests.valkey import Valkey, run_valkey

#: Requests a second that ask, and that the limit lets through; and how many at once.
ASKED, AMOUNT, BURST = 1000, 200, 100
LIMITS: tuple[Limit, ...] = (Rate("minute", AMOUNT * 60, BURST), Quota("day", 10**8, "day"))
PROCESSES = 2


@dataclass
class Seen:
    times: list[float] = field(default_factory=list)
    admitted: int = 0
    degraded: int = 0
    errors: int = 0


async def ask(limiter: Limiter, tenant: UUID, seen: Seen) -> None:
    started = time.perf_counter()
    try:
        verdict = await limiter.check(Subject(tenant, counts=True), LIMITS)
    except Exception:  # noqa: BLE001 - whatever it is, it is counted
        seen.errors += 1
        return
    seen.times.append(time.perf_counter() - started)
    seen.admitted += verdict.allowed
    seen.degraded += verdict.degraded


async def load(limiter: Limiter, tenant: UUID, seen: Seen, seconds: float) -> None:
    """At a steady pace, whether answers come or not."""
    loop = asyncio.get_running_loop()
    started, tasks, sent = loop.time(), set(), 0
    while (now := loop.time()) < started + seconds:
        while sent < (now - started) * ASKED / PROCESSES:
            sent += 1
            task = loop.create_task(ask(limiter, tenant, seen))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.sleep(0.002)
    await asyncio.gather(*tasks)


async def no_fault(valkey: Valkey, away: float) -> None:
    await asyncio.sleep(away)


async def killed(valkey: Valkey, away: float) -> None:
    valkey.kill()
    await asyncio.sleep(away)
    valkey.start()


async def paused(valkey: Valkey, away: float) -> None:
    valkey.pause()
    await asyncio.sleep(away)
    valkey.resume()


async def restarted(valkey: Valkey, away: float) -> None:
    """At once, and empty."""
    valkey.kill()
    valkey.start()
    await asyncio.sleep(away)


async def full(valkey: Valkey, away: float) -> None:
    client = open_client(valkey.url, 5)
    await client.config_set("maxmemory", "1")
    await asyncio.sleep(away)
    await client.config_set("maxmemory", "0")
    await client.aclose()


FAULTS: dict[str, Callable[[Valkey, float], Awaitable[None]]] = {
    "none": no_fault,
    "killed": killed,
    "paused (SIGSTOP)": paused,
    "restarted empty": restarted,
    "out of memory": full,
}


async def run(fault: Callable[[Valkey, float], Awaitable[None]], seconds: float) -> tuple[Seen, float, bool]:
    """What was seen, how much was admitted beyond the limit, and whether all is well afterwards."""
    tenant, seen = uuid4(), Seen()
    with run_valkey() as valkey:
        limiters = [Limiter(valkey.url, LimitsSettings(replicas=PROCESSES)) for _ in range(PROCESSES)]
        for limiter in limiters:
            await limiter.open()
        started = time.perf_counter()

        async def break_it() -> None:
            await asyncio.sleep(seconds / 4)
            await fault(valkey, seconds / 3)

        await asyncio.gather(break_it(), *(load(limiter, tenant, seen, seconds) for limiter in limiters))
        allowed = BURST + AMOUNT * (time.perf_counter() - started)
        is_well = not any(limiter.degraded for limiter in limiters)
        for limiter in limiters:
            await limiter.close()
    return seen, seen.admitted / allowed - 1, is_well


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each fault; a third of it Valkey is away")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, dict[str, float | bool]] = {}
    shown = Table(title=f"{ASKED} requests a second, {AMOUNT} of them allowed; {PROCESSES} limiters")
    for column in (
        "Valkey",
        "answered",
        "errors",
        "decided alone",
        "p50 ms",
        "p99 ms",
        "max ms",
        "beyond the limit",
        "back",
    ):
        shown.add_column(column, justify="left" if column == "Valkey" else "right")
    for name, fault in FAULTS.items():
        seen, beyond, is_well = uvloop.run(run(fault, options.seconds))
        times = sorted(seen.times)
        p99 = times[int(len(times) * 0.99)]
        counts = {"answered": len(times), "errors": seen.errors, "alone": seen.degraded}
        found[name] = counts | {"p99_ms": p99 * 1000, "max_ms": times[-1] * 1000, "beyond": beyond, "back": is_well}
        shown.add_row(
            *(name, f"{len(times):,}", str(seen.errors), f"{seen.degraded:,}"),
            f"{statistics.median(times) * 1000:.2f}",
            f"{p99 * 1000:.1f}",
            f"{times[-1] * 1000:.1f}",
            f"{max(0.0, beyond):.1%}",
            "yes" if is_well else "no",
        )
    if options.json:
        print(json.dumps(found))
    else:
        Console(width=120).print(shown)


if __name__ == "__main__":
    main()
