"""`python -m tests.benchmarks.console`: the console's pages, of a tenant with 1,000 people and 100 apps.

In one process, without a network: milliseconds from the request to the last byte, the bytes of the page, uncompressed
and without the stylesheets that a browser keeps, and the queries that it waits for, BEGIN and COMMIT included. Ends
with an error where the home page is heavier, or takes more queries, than was promised.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any, Final

import httpx
from fastapi import FastAPI
from rich.console import Console
from rich.table import Table
from sqlalchemy import event, text

from saas.console.navigation import NAVIGATION
from saas.identity.cookies import cookie_name
from saas.identity.roles import OWNER
from saas.kit.clock import utc_now
from saas.main import create_app
from saas.onboarding.service import onboard
from saas.services import Services, open_services
from saas.settings import Settings
from saas.usage.counters import Batch, Counts
from saas.usage.periods import HOUR, beginning
from tenants.base import new_id
from tenants.migrate.runner import migrate_platform
from tenants.registry import Tenant
from tests.benchmarks.processes import databases
from tests.factories import MachineFactory, NewTenantFactory

#: Of the home page.
MAX_BYTES: Final = 60_000
MAX_QUERIES: Final = 25
_APPS: Final = 100
_HOURS: Final = 24 * 30
_INVITATIONS: Final = 50
_PEOPLE: Final = text("""
    INSERT INTO users (id, email, email_key, name, roles, password_hash, created_at, updated_at)
    SELECT gen_random_uuid(), 'person' || n || '@bench.example', 'person' || n || '@bench.example', 'Person ' || n,
           CASE WHEN n % 20 = 0 THEN ARRAY['admin'] ELSE ARRAY['member'] END, 'x', now(), now()
    FROM generate_series(1, :people) AS n
""")


@dataclass(frozen=True, slots=True)
class Figures:
    page: str
    milliseconds: float
    bytes: int
    queries: int


async def furnish(services: Services, people: int) -> tuple[Tenant, str]:
    """The tenant, and the cookie of its owner."""
    await migrate_platform(services.database)
    new = {**NewTenantFactory(), "plan": "enterprise"}
    made = await onboard(services.database, services.registry, services.keys, **new, owner_hash="x")
    async with services.database.tenant_session(made.tenant) as session:
        await session.execute(_PEOPLE, {"people": people})
        for number in range(_INVITATIONS):
            await services.users.invite(session, made.tenant, email=f"invited{number}@bench.example")
        clients = [await services.clients.create(session, made.tenant, MachineFactory()) for _ in range(_APPS)]
        last, used = beginning(utc_now(), "hour"), {"requests": 900, "refusals": 9, "would_refuse": 0, "cost": 1000}
        for number in range(_HOURS):
            counts = [Counts(last - number * HOUR, client.client_id, used) for client in clients[:20]]
            await services.usage.enter(session, Batch(new_id(), counts))
        owner = await services.users.create(session, made.tenant, email="o@bench.example", name="Olga", roles=[OWNER])
        cookie = await services.sessions.start(
            session, made.tenant, owner.id, amr=["pwd"], address="127.0.0.1", user_agent="benchmark"
        )
    return made.tenant, cookie


async def measure(people: int, times: int) -> list[Figures]:
    settings = Settings()
    async with open_services(settings) as services:
        tenant, cookie = await furnish(services, people)
    app = create_app(settings)
    sent: list[str] = []
    async with app.router.lifespan_context(app):
        _watch(app, sent)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=tenant.issuer) as http:
            http.cookies.set(cookie_name(tenant), cookie)
            return [await _one(http, entry.path, times, sent) for entry in NAVIGATION]


async def _one(http: httpx.AsyncClient, path: str, times: int, sent: list[str]) -> Figures:
    taken, queries, size = [], [], 0
    for _ in range(times):
        await asyncio.sleep(0)  # the driver tells its loggers at the next turn of the loop
        sent.clear()
        start = time.perf_counter()
        answer = await http.get(path)
        taken.append((time.perf_counter() - start) * 1000)
        if answer.status_code != httpx.codes.OK:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:500]}")
        await asyncio.sleep(0)
        queries.append(len(sent))
        size = len(answer.content)
    # The least: in some of the others a background task asks something of its own.
    return Figures(path, round(statistics.median(taken), 1), size, min(queries))


def _watch(app: FastAPI, sent: list[str]) -> None:
    """The driver tells of what it runs unprepared, SQLAlchemy of the rest."""
    drivers: set[Any] = set()

    def executed(_: object, __: object, statement: str, *___: object) -> None:
        sent.append(statement)

    def watch(connection: Any, *_: object) -> None:
        driver = connection.driver_connection
        if driver not in drivers:
            drivers.add(driver)
            driver.add_query_logger(lambda query: sent.append(query.query))

    engine = app.state.database.engine.sync_engine
    event.listen(engine.pool, "checkout", watch)
    event.listen(engine, "before_cursor_execute", executed)


def table(figures: list[Figures], people: int) -> Table:
    shown = Table(title=f"The console of {people:,} people")
    for column in ("", "median ms", "bytes", "queries"):
        shown.add_column(column, justify="left" if not column else "right")
    for each in figures:
        shown.add_row(each.page, f"{each.milliseconds:.1f}", f"{each.bytes:,}", str(each.queries))
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with databases():
        figures = asyncio.run(measure(options.people, options.times))
    if options.json:
        print(json.dumps([asdict(each) for each in figures]))
    else:
        Console(width=100).print(table(figures, options.people))
    home = figures[0]
    if home.bytes > MAX_BYTES or home.queries > MAX_QUERIES:
        sys.exit(f"The home page has {home.bytes} bytes and takes {home.queries} queries: more than was promised")


if __name__ == "__main__":
    main()
