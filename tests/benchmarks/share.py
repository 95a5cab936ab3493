"""What the limiter takes of an API request: one server with it and one without, measured in turn."""

import asyncio
import statistics

from rich.table import Table

from tests.benchmarks.processes import Result, Target, databases, measure, server
from tests.benchmarks.workload import prepare

#: Of a plan with every kind of limit, none of which ever bites.
_EVERY_KIND = {
    **dict.fromkeys(("requests_per_minute", "burst", "requests_per_day", "requests_per_month"), str(10**9)),
    "concurrent": str(10**6),
    "client_share": "100",
    "user_share": "100",
}
#: Seconds.
_WARM_UP = 0.4
WITH, WITHOUT = "with limits", "without"
#: A server that is as busy as can be is no fault of Valkey's.
_PATIENT = {"SAAS_LIMITS_TIMEOUT": "5"}
_APPS = {WITH: "saas.main:create_app_from_env", WITHOUT: "tests.benchmarks.unlimited:create_app_from_env"}


def run(seconds: float, rounds: int, connections: int) -> dict[str, list[Result]]:
    """Reads of one project: a statement, and five limits and usage in the one that asks Valkey."""
    results: dict[str, list[Result]] = {name: [] for name in _APPS}
    with databases():
        workload = asyncio.run(prepare(_EVERY_KIND))
        for _ in range(rounds):  # each with servers of its own: see `tests.benchmarks.__main__`
            with server(_APPS[WITH], _PATIENT) as limited, server(_APPS[WITHOUT], _PATIENT) as free:
                step = workload.api_request(limited[0])
                targets = [Target(name, *where, (step,)) for name, where in ((WITH, limited), (WITHOUT, free))]
                for target in targets:
                    measure(target, seconds=_WARM_UP, connections=connections)  # caches, statements
                for target in targets:
                    results[target.name].append(measure(target, seconds=seconds, connections=connections))
    return results


def table(results: dict[str, list[Result]]) -> Table:
    shown = Table(title="An API request, with a plan of five limits; medians")
    for column in ("", "a second", "CPU µs", "p50 ms", "p95 ms"):
        shown.add_column(column, justify="left" if not column else "right")
    for name, found in results.items():
        per_second = statistics.median(result.per_second for result in found)
        cpu, p50, p95 = (statistics.median(getattr(each, part) for each in found) for part in ("cpu_us", "p50", "p95"))
        shown.add_row(name, f"{per_second:,.0f}", f"{cpu:.0f}", f"{p50:.1f}", f"{p95:.1f}")
    pairs = list(zip(results[WITH], results[WITHOUT], strict=True))
    time = statistics.median(1 - limited.per_second / free.per_second for limited, free in pairs)
    cpu = statistics.median(1 - free.cpu_us / limited.cpu_us for limited, free in pairs)
    shown.add_row("the limiter's share", f"{time:.1%}", f"{cpu:.1%}", "", "")
    return shown
