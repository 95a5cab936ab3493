"""PgBouncer, as `infra/pgbouncer/pgbouncer.ini` sets it up, in front of the session's PostgreSQL."""

import asyncio
import configparser
import os
import shutil
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import URL, make_url

from saas.dev.account import account_for
from tests.processes import free_port

_CONFIG = Path(__file__).parents[2] / "infra/pgbouncer/pgbouncer.ini"
_START_SECONDS = 10


@asynccontextmanager
async def pooler(database_url: str, folder: Path, *, size: int) -> AsyncIterator[str]:
    """The URL of the database through a PgBouncer with `size` connections to it."""
    behind, port = make_url(database_url), free_port()
    account = account_for(folder)
    path = _write(folder, behind, port, size)
    account.own(folder)
    process = await asyncio.create_subprocess_exec(_program(), "--quiet", str(path), **account.popen)
    through = URL.create("postgresql", behind.username, host="127.0.0.1", port=port, database=behind.database)
    try:
        await _wait(process, through.render_as_string(hide_password=False))
        yield through.render_as_string(hide_password=False)
    finally:
        process.kill()
        await process.wait()


def _program() -> str:
    found = shutil.which("pgbouncer", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")))
    if found is not None:
        return found
    need = "needs PgBouncer: apt-get update && apt-get install -y --no-install-recommends pgbouncer"
    if os.environ.get("CI"):
        pytest.fail(need)
    pytest.skip(need)


def _write(folder: Path, behind: URL, port: int, size: int) -> Path:
    """The example's settings, with other addresses: nobody else's may be in the way."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(_CONFIG)
    _, _, options = config["databases"].pop("saas").partition("dbname=saas ")
    host = behind.host or behind.query["host"]
    config["databases"][str(behind.database)] = f"host={host} port={behind.port or 5432} {options}"
    users = folder / "userlist.txt"
    users.write_text(f'"{behind.username}" ""\n')
    config["pgbouncer"].update(
        listen_port=str(port),
        auth_type="trust",
        auth_file=str(users),
        default_pool_size=str(size),
        logfile=str(folder / "log"),
    )
    path = folder / "pgbouncer.ini"
    with path.open("w") as file:
        config.write(file)
    return path


async def _wait(process: Process, url: str) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while True:
            assert process.returncode is None, "PgBouncer ended: see its log"
            try:
                connection = await asyncpg.connect(url, statement_cache_size=0)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                await connection.close()
                return
