"""`python -m tests.benchmarks.tenants`: API requests of 1, 100 and 2,000 tenants, touched at random, on one server.

With connections recycled after so many tenants, as is the default, and never; and what the backends of its pool
remember before and after: memory that they share with nobody. A row's p95 is to be compared with that of one tenant.
"""

import argparse
import asyncio
import json
import math
import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import asyncpg
import httpx
import psutil
from rich.console import Console
from rich.table import Table

from saas.identity.passwords import hash_password
from saas.oauth.definition import ClientDefinition
from saas.onboarding.service import onboard
from saas.product.projects.models import ProjectRow
from saas.services import Services, open_services
from saas.settings import Settings
from tenants.engine import PoolOptions
from tenants.migrate.runner import migrate_platform
from tenants.plan_versions import set_plan
from tests.benchmarks.processes import Step, Target, databases, measure, server
from tests.benchmarks.workload import UNLIMITED

#: Tenants that a process makes at the same time.
_AT_ONCE = 3
_PROJECTS = 20
_NEVER = 10**9
_APP = "saas.main:create_app_from_env"
_REQUEST = Step("GET /api/v1/projects/{project} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n")


@dataclass(frozen=True, slots=True)
class Made:
    """A tenant with something to read, and a client that may."""

    host: str
    project: str
    client_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class Row:
    recycled_after: int
    tenants: int
    per_second: float
    p50: float
    p95: float
    p99: float
    cpu_us: float
    #: Of all of PostgreSQL, for one request.
    database_us: float
    #: Private memory of the server's backends, megabytes: of all, and of the largest.
    memory: float
    largest: float


def make(numbers: list[int], owner_hash: str) -> list[Made]:
    """In a process of its own."""
    return asyncio.run(_make(numbers, owner_hash))


async def _make(numbers: list[int], owner_hash: str) -> list[Made]:
    made: list[Made] = []
    waiting = iter(numbers)
    async with open_services(Settings()) as services:

        async def lane() -> None:
            made.extend([await _one(services, number, owner_hash) for number in waiting])

        await asyncio.gather(*(lane() for _ in range(_AT_ONCE)))
    return made


async def _one(services: Services, number: int, owner_hash: str) -> Made:
    slug = f"b{number:05}"
    names = {"slug": slug, "name": slug, "plan": "enterprise", "owner_email": f"owner@{slug}.example"}
    onboarded = await onboard(services.database, services.registry, services.keys, **names, owner_hash=owner_hash)
    definition = ClientDefinition(name="bench", grant_types=["client_credentials"], scopes=["projects:read"])
    async with services.database.tenant_session(onboarded.tenant) as session:
        client = await services.clients.create(session, onboarded.tenant, definition)
        words = {"description": "", "status": "active", "created_by": "bench"}
        rows = [ProjectRow(name=f"project {i}", **words) for i in range(_PROJECTS)]
        session.add_all(rows)
        await session.flush()
        return Made(onboarded.tenant.host, str(rows[0].id), client.client_id, client.secret)


async def prepare() -> str:
    """The platform, with a plan that never bites; returns the hash of every owner's password."""
    async with open_services(Settings()) as services:
        await migrate_platform(services.database)
        async with services.database.platform_session() as session:
            await set_plan(session, "enterprise", UNLIMITED)
    return await hash_password("the same for all of them")


def make_all(count: int, processes: int) -> list[Made]:
    owner_hash = asyncio.run(prepare())
    parts = [list(range(first, count, processes)) for first in range(min(processes, count))]
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        return [made for part in pool.map(make, parts, [owner_hash] * len(parts)) for made in part]


async def with_tokens(port: int, tenants: list[Made]) -> list[dict[str, str]]:
    """What the requests' placeholders stand for, of each tenant."""
    found: list[dict[str, str]] = []
    waiting = iter(tenants)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:

        async def lane() -> None:
            for made in waiting:
                answer = await client.post(
                    "/oauth2/token",
                    headers={"Host": made.host},
                    auth=(made.client_id, made.secret),
                    data={"grant_type": "client_credentials"},
                )
                answer.raise_for_status()
                found.append({"host": made.host, "project": made.project, "token": answer.json()["access_token"]})

        await asyncio.gather(*(lane() for _ in range(8)))
    return found


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
    with server(_APP, environment, factory=True) as (port, pid):
        for count in counts:
            asyncio.run(touch(port, choices[:count]))
            target = Target(f"{count} tenants", port, pid, (_REQUEST,), choices=tuple(choices[:count]))
            measure(target, seconds=max(1.0, seconds / 3), connections=connections)  # caches, statements
            before = asyncio.run(database_cpu(url))
            result = measure(target, seconds=seconds, connections=connections)
            of_database = (asyncio.run(database_cpu(url)) - before) / (result.per_second * seconds) * 1e6
            sizes = [private(backend) for backend in asyncio.run(backends(url))]
            times = (result.p50, result.p95, result.p99)
            yield Row(after, count, result.per_second, *times, result.cpu_us, of_database, sum(sizes), max(sizes))


def table(rows: list[Row], connections: int) -> Table:
    shown = Table(title=f"API requests of many tenants: one server process, {connections} at a time")
    columns = (
        "recycled after",
        "tenants",
        "a second",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "p95 of one's",
        "CPU µs",
        "database µs",
    )
    for column in (*columns, "backends MB", "largest MB"):
        shown.add_column(column, justify="right")
    one = {row.recycled_after: row.p95 for row in rows if row.tenants == 1}
    for row in rows:
        ratio = row.p95 / one.get(row.recycled_after, math.nan)
        shown.add_row(
            "never" if row.recycled_after == _NEVER else f"{row.recycled_after:,} tenants",
            *(f"{row.tenants:,}", f"{row.per_second:,.0f}", f"{row.p50:.1f}", f"{row.p95:.1f}", f"{row.p99:.1f}"),
            *(f"{ratio:.2f}", f"{row.cpu_us:.0f}", f"{row.database_us:.0f}", f"{row.memory:.0f}", f"{row.largest:.0f}"),
            end_section=row is [each for each in rows if each.recycled_after == row.recycled_after][-1],
        )
    return shown


def run(options: argparse.Namespace) -> dict[str, Any]:
    counts = [1, *sorted({min(100, options.tenants), options.tenants} - {1})]
    with databases() as url:
        started = time.perf_counter()
        tenants = make_all(options.tenants, options.processes)
        took = time.perf_counter() - started
        with server(_APP, {}, factory=True) as (port, _):
            choices = asyncio.run(with_tokens(port, tenants))
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
    parser.add_argument("--seconds", type=float, default=6.0, help="of load for each row")
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
