"""`python -m tests.benchmarks`: the hot paths beside their floors, measured in turn in one run.

Machines are noisy, so the figures to compare are the ratios, and each is the median over the rounds. Every round has
servers of its own: where in memory a process happens to lie changes what it takes by a fifth, for as long as it lives.
"""

import argparse
import asyncio
import json
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import asyncpg
from rich.console import Console
from rich.table import Table

from tests.benchmarks.processes import Result, Target, bare_server, databases, measure, server
from tests.benchmarks.round_trips import count_round_trips
from tests.benchmarks.workload import Workload, get, prepare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="of load for each target and round")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with databases() as url:
        asyncio.run(_floor_table(url))
        workload = asyncio.run(prepare())
        rounds = [_round(url, workload, options.seconds, options.connections) for _ in range(options.rounds)]
        with _targets(url, workload, options.connections) as targets:
            ours = {target.name: target.steps for target in targets if target.name in FLOOR_OF}
            round_trips = asyncio.run(count_round_trips(ours))
    if options.json:
        rounds_by_name = [{name: asdict(result) for name, result in each.items()} for each in rounds]
        print(json.dumps({"rounds": rounds_by_name, "round_trips": round_trips}))
    else:
        Console(width=100).print(_table(rounds, round_trips))


#: Seconds.
_WARM_UP = 0.4

#: Each hot path, and the floor that its rate is divided by.
FLOOR_OF = {
    "token": "constant route",
    "API request": "bare select",
    "code flow": "constant route",
    "refresh": "constant route",
}


def _table(rounds: list[dict[str, Result]], round_trips: dict[str, int]) -> Table:
    table = Table(title="One worker, one core, limits on; medians")
    for column in ("", "a second", "CPU µs", "database round trips", "of the floor"):
        table.add_column(column, justify="left" if not column else "right")
    for name in rounds[0]:
        per_second = statistics.median(r[name].per_second for r in rounds)
        cpu = statistics.median(r[name].cpu_us for r in rounds)
        floor = FLOOR_OF.get(name)
        ratio = statistics.median(r[name].per_second / r[floor].per_second for r in rounds) if floor else None
        trips, share = str(round_trips.get(name, "")), f"{ratio:.2f} of {floor}" if ratio else ""
        table.add_row(name, f"{per_second:,.0f}", f"{cpu:.0f}", trips, share)
    return table


def _round(url: str, workload: Workload, seconds: float, connections: int) -> dict[str, Result]:
    with _targets(url, workload, connections) as targets:
        for target in targets:
            measure(target, seconds=_WARM_UP, connections=connections)  # caches, statements
        return {target.name: measure(target, seconds=seconds, connections=connections) for target in targets}


@contextmanager
def _targets(url: str, workload: Workload, connections: int) -> Iterator[list[Target]]:
    """Each right after the floor that it is compared with, or close."""
    floor = {"FLOOR_DATABASE_URL": url}
    with (
        bare_server("tests.benchmarks.floor:app", floor) as (floor_port, floor_pid),
        server("saas.main:create_app_from_env", {}) as (port, pid),
    ):
        flow = Target("code flow", port, pid, workload.code_flow(), tuple({} for _ in range(connections)))
        measure(flow, seconds=0.1, connections=connections)  # leaves a refresh token on each connection
        yield [
            Target("constant route", floor_port, floor_pid, (get("/constant", "localhost"),)),
            Target("token", port, pid, workload.token()),
            Target("bare select", floor_port, floor_pid, (get("/select", "localhost"),)),
            Target("API request", port, pid, (workload.api_request(port),)),
            flow,
            Target("refresh", port, pid, workload.refresh(), tuple(dict(values) for values in flow.values)),
        ]


async def _floor_table(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE floor (id bigint PRIMARY KEY, name text NOT NULL)")
    await connection.execute("INSERT INTO floor SELECT i, 'row ' || i FROM generate_series(1, 1000) i")
    await connection.close()


if __name__ == "__main__":
    main()
