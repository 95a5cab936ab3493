"""`python -m tests.benchmarks.limiter`: what a check of a request's limits costs, at 50 in flight.

Through our one connection, and through the pool of redis-py with a call for each check; beside a script that does
nothing. CPU is that of this process, and of the server, for one check. The figures are medians over the rounds. Then
what the limiter takes of an API request.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any
from uuid import uuid4

import uvloop
from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute, RateLimitItemPerMonth
from limits.aio.strategies import FixedWindowRateLimiter
from limits.storage import storage_from_string
from rich.console import Console
from rich.table import Table

from saas.kit.redis import open_client
from saas.ratelimit.charges import Charge
from saas.ratelimit.connection import ScriptConnection
from saas.ratelimit.decision import Concurrency, Limit, Quota, Rate
from saas.ratelimit.limiter import Limiter, Subject
from saas.ratelimit.middleware import RateLimitMiddleware
from saas.settings import LimitsSettings
from tests.benchmarks import share
from tests.valkey import run_valkey

EMPTY = "return 1"
LIMITS: tuple[Limit, ...] = (
    Rate("minute", 10**8, 10**6),
    Quota("day", 10**9, "day"),
    Quota("month", 10**9, "month"),
    Rate("client", 10**7, 10**6, of_each="client"),
    Rate("user", 10**7, 10**6, of_each="user"),
    Rate("ten", 10**8, 10**6, 600),
)
#: Of the `limits` package, for the same windows.
THEIRS = (
    RateLimitItemPerMinute(10**8),
    RateLimitItemPerDay(10**9),
    RateLimitItemPerMonth(10**9),
    RateLimitItemPerMinute(10**7),
    RateLimitItemPerMinute(10**6),
    RateLimitItemPerMinute(10**8, 10),
)
#: One check for the tenant of this number.
Check = Callable[[int], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Result:
    per_second: float
    cpu_us: float
    server_us: float


@asynccontextmanager
async def contenders(url: str, in_flight: int) -> AsyncIterator[dict[str, Check]]:
    """Each row of the table: what is checked, and how."""
    limiter = Limiter(url, LimitsSettings(timeout=5))
    await limiter.open()
    empty = ScriptConnection(url, EMPTY, timeout=5)
    client = open_client(url, 5)
    digest = await client.script_load(EMPTY)
    tenants = [uuid4() for _ in range(in_flight)]
    names = [f"{{{tenant.hex}}}:" for tenant in tenants]

    def ours(limits: tuple[Limit, ...], counts: bool = False) -> Check:
        return lambda number: limiter.check(
            Subject(tenants[number], ("token",), client="client", user="user", counts=counts), limits
        )

    storage = storage_from_string(f"async+redis+{url}", implementation="redispy")
    theirs = FixedWindowRateLimiter(storage)

    def of_limits(items: Sequence[RateLimitItem]) -> Check:
        """Each limit is a call of its own, and those before the one that refuses stay charged."""

        async def check(number: int) -> None:
            for item in items:
                await theirs.hit(item, names[number])

        return check

    rows: dict[str, Check] = {
        "empty script": lambda number: empty.run([names[number]], []),
        "empty script, redis-py": lambda number: client.evalsha(digest, 1, names[number]),
    }
    for count in (1, 3, 6):
        rows[f"{count} policies"] = ours(LIMITS[:count])
        rows[f"{count} policies, package limits"] = of_limits(THEIRS[:count])
    rows["3 policies and usage"] = ours(LIMITS[:3], counts=True)
    rows["5, usage and a lease"] = leased(limiter, tenants)
    rows["5 and usage, middleware"] = in_middleware(limiter, tenants)
    yield rows
    await limiter.close()
    await empty.close()
    await client.aclose()
    await storage.storage.aclose() if hasattr(storage, "storage") else None


def leased(limiter: Limiter, tenants: Sequence[Any]) -> Check:
    """All that a request may be counted by; it ends at once."""
    limits = (*LIMITS[:5], Concurrency("concurrent", 10**6))

    async def check(number: int) -> None:
        verdict = await limiter.check(
            Subject(tenants[number], ("token",), client="client", user="user", counts=True), limits
        )
        if verdict.lease:
            limiter.release(verdict.lease)

    return check


def in_middleware(limiter: Limiter, tenants: Sequence[Any]) -> Check:
    """With the response's fields, around an application that only begins a response."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(_message: Any) -> None:
        pass

    limits = LIMITS[:5]
    charges = [
        Charge(Subject(tenant, ("token",), client="client", user="user", counts=True), limits) for tenant in tenants
    ]
    middleware = RateLimitMiddleware(app, limiter, lambda scope: charges[scope["number"]])

    async def receive() -> Any:
        raise AssertionError("There is no body")

    return lambda number: middleware({"type": "http", "number": number}, receive, send)


async def measure(check: Check, url: str, in_flight: int, seconds: float) -> Result:
    client = open_client(url, 5)
    count = 0

    async def work(number: int, until: float) -> None:
        nonlocal count
        while time.perf_counter() < until:
            for _ in range(20):
                await check(number)
            count += 20

    before, started, cpu = await server_cpu(client), time.perf_counter(), time.process_time()
    await asyncio.gather(*(work(number, started + seconds) for number in range(in_flight)))
    elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
    served = await server_cpu(client) - before
    await client.aclose()
    return Result(count / elapsed, cpu / count * 1e6, served / count * 1e6)


async def server_cpu(client: Any) -> float:
    info = await client.info("cpu")
    return float(info["used_cpu_user"] + info["used_cpu_sys"])


async def run(url: str, in_flight: int, seconds: float, rounds: int) -> dict[str, list[Result]]:
    async with contenders(url, in_flight) as rows:
        results: dict[str, list[Result]] = {name: [] for name in rows}
        for check in rows.values():
            await measure(check, url, in_flight, 0.2)  # warm up
        for _ in range(rounds):
            for name, check in rows.items():
                results[name].append(await measure(check, url, in_flight, seconds))
        return results


def table(results: dict[str, list[Result]], in_flight: int) -> Table:
    shown = Table(title=f"{in_flight} in flight; medians")
    for column in ("", "checks/s", "CPU µs", "server CPU µs", "of empty", "of empty, redis-py"):
        shown.add_column(column, justify="left" if not column else "right")
    medians = {name: statistics.median(r.per_second for r in found) for name, found in results.items()}
    for name, found in results.items():
        shown.add_row(
            name,
            f"{medians[name]:,.0f}",
            f"{statistics.median(r.cpu_us for r in found):.1f}",
            f"{statistics.median(r.server_us for r in found):.1f}",
            f"{medians[name] / medians['empty script']:.2f}",
            f"{medians[name] / medians['empty script, redis-py']:.2f}",
        )
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.5, help="for each row and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--in-flight", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with run_valkey() as valkey:
        results = uvloop.run(run(valkey.url, options.in_flight, options.seconds, options.rounds))
    of_requests = share.run(2 * options.seconds, 2 * options.rounds + 1, options.in_flight)
    if options.json:
        found: dict[str, list[Any]] = {**results, **of_requests}
        print(json.dumps({name: [asdict(each) for each in rows] for name, rows in found.items()}))
        return
    console = Console(width=100)
    console.print(table(results, options.in_flight))
    console.print(share.table(of_requests))


if __name__ == "__main__":
    main()
