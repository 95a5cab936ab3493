"""`python -m tests.benchmarks.tenants`: API requests of 1, 100 and 2,000 tenants, touched at random, on one server.

With connections recycled after so many tenants, as is the default, and never; and what the backends of its pool
remember before and after: memory that they share with nobody.

Requests a second and CPU time are those of a server that is never idle. There, a request's time is mostly that of those
before it, so times are measured at a moderate load: 50 connections that wait a quarter of a second, on average,
between an answer and the next request, in three rounds of which the medians are shown. A row's p95 is to be compared
with that of one tenant.

The requests only read, so PostgreSQL does not wait for a disk, and has its files in memory where there is room.
"""

import argparse
import asyncio
import json
import math
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import asyncpg
import httpx
import psutil
from rich.console import Console
from rich.table import Table

from tenants.engine import PoolOptions
from tests.benchmarks.populate import populate
from tests.benchmarks.processes import Result, Step, Target, databases, measure, server

#: Seconds between an answer and the next request, on average, at a moderate load.
_PAUSE = 0.25
#: Of which a moderate load's times are the medians.
_ROUNDS = 3
_SHARES = ("p50", "p95", "p99")
_NEVER = 10**9
_APP = "saas.main:create_app_from_env"
_REQUEST = Step("GET /api/v1/projects/{project} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n")


@dataclass(frozen=True, slots=True)
class Row:
    recycled_after: int
    tenants: int
    #: At all the load that the server takes; of the server, and of all of PostgreSQL, for one request.
    per_second: float
    cpu_us: float
    database_us: float
    #: Milliseconds, at a moderate load.
    p50: float
    p95: float
    p99: float
    #: Private memory of the server's backends, megabytes: of all, and of the largest.
    memory: float
    largest: float


async def touch(port: int, choices: list[dict[str, str]]) -> None:
    """Each tenant once: what the process remembers of a tenant is not what is measured."""
    waiting = iter(choices)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:

        async def lane() -> None:
            for each in waiting:
                headers = {"Host": each["host"], "Authorization": f"Bearer {each['token']}"}
                (await client.get(f"/api/v1/projects/{each['project']}", headers=headers)).raise_for_status()

        await asyncio.gather(*(lane() for _ in range(8)))


async def backends(url: str) -> list[int]:
    """Process ids, of those that serve an application."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT pid FROM pg_stat_activity WHERE application_name = 'saas'")
        return [row["pid"] for row in rows]
    finally:
        await connection.close()


async def database_cpu(url: str) -> float:
    """Seconds, of PostgreSQL and all its processes so far."""
    connection = await asyncpg.connect(url)
    try:
        parent = psutil.Process(connection.get_server_pid()).parent()
        assert parent is not None
        children = parent.children()
        return sum(parent.cpu_times()[:4]) + sum(sum(_times(each)) for each in children)
    finally:
        await connection.close()


def _times(process: psutil.Process) -> tuple[float, ...]:
    """User and system; nothing where it is gone: then its parent counts it."""
    try:
        return tuple(process.cpu_times()[:2])
    except psutil.NoSuchProcess:
        return ()


def private(pid: int) -> float:
    """Megabytes that no other process shares; 0 where it is gone: a connection was recycled while we looked."""
    try:
        return psutil.Process(pid).memory_full_info().uss / 2**20
    except psutil.NoSuchProcess:
        return 0.0


def measure_counts(
    url: str, choices: list[dict[str, str]], counts: list[int], after: int, *, seconds: float, connections: int
) -> Iterator[Row]:
    """With a server of its own, so that it begins without memories."""
    # Valkey is not what is measured: without the limiter's haste, a busy machine does not bring its fallback in.
    environment = {"SAAS_DATABASE_MAX_TENANTS": str(after), "SAAS_LIMITS_TIMEOUT": "5"}
    with server(_APP, environment) as (port, pid):
        targets = [
            Target(f"{count} tenants", port, pid, (_REQUEST,), choices=tuple(choices[:count])) for count in counts
        ]
        busy = [_busy(url, target, seconds, connections) for target in targets]
        # In turn: a machine's other work does not make one of them look slower than another.
        rounds = [
            [measure(target, seconds=seconds, connections=connections, pause=_PAUSE) for target in targets]
            for _ in range(_ROUNDS)
        ]
    for count, (result, of_database, sizes), moderate in zip(counts, busy, zip(*rounds, strict=True), strict=True):
        p50, p95, p99 = (statistics.median(getattr(each, share) for each in moderate) for share in _SHARES)
        yield Row(after, count, result.per_second, result.cpu_us, of_database, p50, p95, p99, sum(sizes), max(sizes))


def _busy(url: str, target: Target, seconds: float, connections: int) -> tuple[Result, float, list[float]]:
    """At all the load that it takes; PostgreSQL's microseconds for a request, and megabytes of each backend."""
    asyncio.run(touch(target.port, list(target.choices)))
    measure(target, seconds=max(1.0, seconds / 3), connections=connections)  # caches, statements
    before = asyncio.run(database_cpu(url))
    result = measure(target, seconds=seconds, connections=connections)
    of_database = (asyncio.run(database_cpu(url)) - before) / (result.per_second * seconds) * 1e6
    return result, of_database, [private(backend) for backend in asyncio.run(backends(url))]


def table(rows: list[Row], connections: int) -> Table:
    shown = Table(title=f"API requests of many tenants: one server process, {connections} at a time")
    columns = (
        "recycled after",
        "tenants",
        "a second",
        "CPU µs",
        "database µs",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "p95 of one's",
    )
    for column in (*columns, "backends MB", "largest MB"):
        shown.add_column(column, justify="right")
    one = {row.recycled_after: row.p95 for row in rows if row.tenants == 1}
    for row in rows:
        ratio = row.p95 / one.get(row.recycled_after, math.nan)
        shown.add_row(
            "never" if row.recycled_after == _NEVER else f"{row.recycled_after:,} tenants",
            *(f"{row.tenants:,}", f"{row.per_second:,.0f}", f"{row.cpu_us:.0f}", f"{row.database_us:.0f}"),
            *(f"{row.p50:.1f}", f"{row.p95:.1f}", f"{row.p99:.1f}", f"{ratio:.2f}"),
            *(f"{row.memory:.0f}", f"{row.largest:.0f}"),
            end_section=row is [each for each in rows if each.recycled_after == row.recycled_after][-1],
        )
    return shown


async def settle(url: str) -> None:
    """What autovacuum does, which is off here, after thousands of tenants were made."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("VACUUM (ANALYZE) pg_class, pg_attribute, pg_index, pg_constraint, pg_type, pg_depend")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def run(options: argparse.Namespace) -> dict[str, Any]:
    counts = [1, *sorted({min(100, options.tenants), options.tenants} - {1})]
    with databases(fast=True) as url:
        started = time.perf_counter()
        choices = [asdict(made) for made in populate(options.tenants, options.processes)]
        took = time.perf_counter() - started
        asyncio.run(settle(url))
        rows = [
            row
            for after in (options.recycled_after, _NEVER)
            for row in measure_counts(
                url, choices, counts, after, seconds=options.seconds, connections=options.connections
            )
        ]
    return {"made_seconds": took, "rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=2.0, help="of load for each row and round")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--recycled-after", type=int, default=PoolOptions().max_tenants)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="that make the tenants")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = run(options)
    if options.json:
        print(json.dumps(found, default=asdict))
        return
    console = Console(width=130)
    console.print(f"{options.tenants:,} tenants made in {found['made_seconds']:.0f} s")
    console.print(table(found["rows"], options.connections))


if __name__ == "__main__":
    main()
