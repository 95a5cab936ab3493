"""`python -m tests.benchmarks.migrations`: two columns and an index for every tenant, on PostgreSQL with fsync on.

Through our runner, and through Alembic in one process on a sample, with the ratio; and what it takes to find that
nobody is behind among 10,000.
"""

import argparse
import asyncio
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncpg
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, func, insert, select, update

from saas.dev import embedded
from tenants.base import new_id
from tenants.database import Database
from tenants.migrate.plan import Behind, made
from tenants.migrate.render import TENANT, Scripts
from tenants.migrate.rollout import migrate_all
from tenants.migrate.runner import make_schema, migrate_platform
from tenants.models import TenantRow
from tenants.names import schema_name
from tests.unit.tenants.migrate.test_render import write

_REGISTERED = 10_000
_AT_ONCE = 4
#: Seconds after which every process of PostgreSQL has read its settings anew.
_RELOADED = 1.0


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    tenants: int
    seconds: float

    @property
    def each(self) -> float:
        return self.seconds / self.tenants


def longer(folder: Path) -> Scripts:
    """The tenants' revisions, and one that adds two columns and an index."""
    shutil.copytree(TENANT.location, folder / "tenant", ignore=shutil.ignore_patterns("__pycache__"))
    columns = "op.add_column('projects', sa.Column({!r}, sa.Text()))"
    index = "op.create_index('projects_colour_idx', 'projects', ['colour'])"
    write(folder / "tenant", "9001", TENANT.head, "; ".join([*map(columns.format, ("colour", "shape")), index]))
    return Scripts(folder / "tenant")


async def register(database: Database, count: int, revision: str | None) -> None:
    """Rows of tenants at the revision, by which nothing is said of their schemas."""
    async with database.platform_session() as session:
        first = await session.scalar(select(func.count()).select_from(TenantRow)) or 0
        for start in range(first, first + count, 1_000):
            numbers = range(start, min(start + 1_000, first + count))
            ids = [new_id() for _ in numbers]
            rows = [
                {"id": each, "slug": f"b{number:05}", "name": "X", "host": f"{number}.example", "plan": "free"}
                | {"schema": schema_name(each), "status": "active", "revision": revision}
                for number, each in zip(numbers, ids, strict=True)
            ]
            await session.execute(insert(TenantRow), rows)


async def make(database: Database, count: int) -> list[Behind]:
    """Tenants with whole schemas."""
    await register(database, count, TENANT.head)
    tenants = await made(database)
    waiting = iter(tenants)

    async def lane() -> None:
        for tenant in waiting:
            async with database.tenant_session(tenant) as session:
                await make_schema(session, tenant.schema)

    await asyncio.gather(*(lane() for _ in range(_AT_ONCE)))
    return tenants


async def through_alembic(database: Database, tenants: Sequence[Behind], scripts: Scripts) -> Row:
    """As an env.py does it, but for reading the revisions anew and for connecting."""
    directory = ScriptDirectory(str(scripts.location))

    def upgrade(connection: Connection) -> None:
        with EnvironmentContext(Config(), directory) as context:
            context.configure(connection=connection, fn=lambda revision, _: directory._upgrade_revs("head", revision))
            context.run_migrations()

    started = time.perf_counter()
    for tenant in tenants:
        async with database.tenant_session(tenant) as session:
            await (await session.connection()).run_sync(upgrade)
    took = time.perf_counter() - started
    async with database.platform_session() as session:  # so that ours has nothing more to do with them
        ids = [tenant.id for tenant in tenants]
        await session.execute(update(TenantRow).where(TenantRow.id.in_(ids)).values(revision=scripts.head))
    return Row("Alembic in process", len(tenants), took)


async def timed(name: str, tenants: int, work: Callable[[], object]) -> Row:
    started = time.perf_counter()
    await asyncio.to_thread(work)
    return Row(name, tenants, time.perf_counter() - started)


async def run(url: str, folder: Path, count: int, sample: int, processes: int) -> list[Row]:
    database = Database(url, pool_size=_AT_ONCE)
    scripts = longer(folder)
    await migrate_platform(database)
    await wait_for_disk(url, False)
    started = time.perf_counter()
    tenants = await make(database, count + sample)
    rows = [Row("schemas made, flattened, fsync off", len(tenants), time.perf_counter() - started)]
    await wait_for_disk(url, True)
    rows.append(await through_alembic(database, tenants[count:], scripts))
    started = time.perf_counter()
    outcome = await migrate_all(database, scripts=scripts, processes=processes)
    rows.append(Row(f"ours, {processes} processes", count, time.perf_counter() - started))
    if (len(outcome.migrated), outcome.failed) != (count, {}):
        raise RuntimeError(f"Not every tenant was migrated: {outcome.failed}")
    await register(database, _REGISTERED - len(tenants), scripts.head)
    started = time.perf_counter()
    await migrate_all(database, scripts=scripts, processes=processes)
    rows.append(Row("nobody is behind", _REGISTERED, time.perf_counter() - started))
    command = [sys.executable, "-m", "saas.cli", "migrate", "--json"]
    key = base64.b64encode(bytes(32)).decode()
    settings = {"SAAS_DATABASE_URL": url, "SAAS_REDIS_URL": "redis://localhost:1", "SAAS_SECRETS_MASTER_KEY": key}
    rows.append(
        await timed(
            "nobody is behind: the whole command",
            _REGISTERED,
            lambda: subprocess.run(command, env={**os.environ, **settings}, check=True, capture_output=True),
        )
    )
    await database.close()
    await wait_for_disk(url, False)
    return rows


async def wait_for_disk(url: str, wait: bool) -> None:
    """Turn fsync on, when what was done before is done with, or off.

    Schemas of a thousand tenants are 145,000 files: a checkpoint that waits for each of them on the way takes minutes.
    """
    connection = await asyncpg.connect(url)
    await connection.execute("CHECKPOINT")
    await connection.execute(f"ALTER SYSTEM SET fsync = {wait}")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()
    await asyncio.sleep(_RELOADED)


def table(rows: list[Row]) -> Table:
    shown = Table(title="Two columns and an index a tenant; fsync on")
    for column in ("", "tenants", "seconds", "ms a tenant", "10,000 take", "of Alembic"):
        shown.add_column(column, justify="left" if not column else "right")
    alembic = next(row for row in rows if row.name.startswith("Alembic"))
    for row in rows:
        ratio = f"{alembic.each / row.each:.1f} times faster" if row.name.startswith("ours") else ""
        figures = (f"{row.tenants:,}", f"{row.seconds:.2f}", f"{row.each * 1e3:.2f}", f"{row.each * 1e4:.0f} s")
        shown.add_row(row.name, *figures, ratio)
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=1_000)
    parser.add_argument("--sample", type=int, default=100, help="tenants that go through Alembic")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="saas-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with embedded(folder / "data", valkey=False) as servers:
            url = servers.database_url
            rows = asyncio.run(run(url, folder, options.tenants, options.sample, options.processes))
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
    else:
        Console(width=110).print(table(rows))


if __name__ == "__main__":
    main()
