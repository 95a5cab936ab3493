"""`python -m tests.benchmarks.provisioning`: tenants created one after the other, on PostgreSQL with fsync on.

With a schema from the pool, and with one made by the script; then a sample of each also with the owner's password
hashed, which is what `saas tenants create` does inside its process, and with every revision replayed. Medians, in
milliseconds a tenant.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable

from rich.console import Console
from rich.table import Table

from saas.identity.passwords import hash_password
from saas.onboarding.service import onboard
from saas.services import Services, open_services
from saas.settings import Settings
from tenants import warm
from tenants.migrate import runner
from tenants.migrate.render import TENANT, Scripts, Step
from tenants.migrate.runner import migrate_platform
from tests.benchmarks.processes import databases
from tests.factories import OWNER_PASSWORD, NewTenantFactory


async def timed(times: int, work: Callable[[], Awaitable[object]]) -> list[float]:
    """Milliseconds of each."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        await work()
        taken.append((time.perf_counter() - start) * 1000)
    return taken


async def fill(services: Services, size: int) -> list[float]:
    return await timed(size, lambda: warm.refill(services.database, "default", size))


async def compare(services: Services, tenants: int, sample: int) -> dict[str, list[float]]:
    owner_hash = await hash_password(OWNER_PASSWORD)

    async def known() -> None:
        await onboard(services.database, services.registry, services.keys, **NewTenantFactory(), owner_hash=owner_hash)

    async def hashed() -> None:
        await onboard(services.database, services.registry, services.keys, **NewTenantFactory())

    await timed(3, known)  # warm up: statements, caches
    rows = {"a schema made for the pool": await fill(services, tenants)}
    rows["from the pool"] = await timed(tenants, known)
    rows["by the script"] = await timed(tenants, known)
    await fill(services, sample)
    rows["from the pool, password hashed"] = await timed(sample, hashed)
    rows["by the script, password hashed"] = await timed(sample, hashed)
    ours = vars(runner)
    by_script, ours["steps_from_nothing"] = ours["steps_from_nothing"], _every_revision
    rows["by every revision"] = await timed(sample, known)
    ours["steps_from_nothing"] = by_script
    return rows


def _every_revision(scripts: Scripts) -> tuple[Step, ...]:
    return scripts.steps


async def measure(tenants: int, sample: int) -> dict[str, list[float]]:
    async with open_services(Settings()) as services:
        await migrate_platform(services.database)
        return await compare(services, tenants, sample)


def table(rows: dict[str, list[float]]) -> Table:
    count = len([part for step in TENANT.steps for part in step.statements if part.startswith("CREATE TABLE")])
    shown = Table(title=f"Tenants of {count} tables each, one after the other, fsync on")
    for column in ("", "tenants", "median ms", "p95 ms", "all, s"):
        shown.add_column(column, justify="left" if not column else "right")
    for name, taken in rows.items():
        p95 = statistics.quantiles(taken, n=20)[-1]
        figures = (f"{statistics.median(taken):.1f}", f"{p95:.1f}", f"{sum(taken) / 1000:.1f}")
        shown.add_row(name, f"{len(taken):,}", *figures)
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=1000, help="created from the pool, and without it")
    parser.add_argument("--sample", type=int, default=100, help="created in each of the other ways")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with databases():
        taken = asyncio.run(measure(options.tenants, options.sample))
    if options.json:
        print(json.dumps(taken))
    else:
        Console(width=100).print(table(taken))


if __name__ == "__main__":
    main()
