"""The servers of a data folder, shared by real processes that end well or are killed."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import psutil
import pytest
from redis import Redis

from saas.dev import DevError, Servers, embedded
from saas.dev.account import Account, account_for
from saas.dev.postgres import SOCKET
from saas.dev.processes import running_in
from tests.leftovers import sweep

pytestmark = pytest.mark.usefixtures("terminal_signals")

#: A user who is not root, whether or not anybody of that number exists.
_SOMEBODY = 65_534


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that uses the servers; `said` is what it printed when it had them."""

    process: "subprocess.Popen[str]"
    said: dict[str, str]

    def leave(self) -> None:
        self.process.communicate(timeout=60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=60)


@contextmanager
def _holder(data: Path, *arguments: str) -> Iterator[Holder]:
    command = [sys.executable, "-m", "tests.unit.saas.dev.holder", str(data), *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        holder = Holder(process, json.loads(process.stdout.readline()))
        yield holder
        if process.poll() is None:
            holder.leave()


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """One folder for the tests of this file: making one takes a second."""
    with _new_folder() as folder:
        yield folder


@pytest.fixture
def fresh() -> Iterator[Path]:
    with _new_folder() as folder:
        yield folder


@contextmanager
def _new_folder() -> Iterator[Path]:
    """Not below pytest's, which every starting pytest closes to all but its user: the servers may have their own."""
    with TemporaryDirectory(prefix="saas-test-") as folder:
        yield Path(folder)


@pytest.fixture
def start(data: Path) -> Iterator[Callable[[], Holder]]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(_holder(data))
    assert not _servers_in(data)


def _servers_in(data: Path) -> list[psutil.Process]:
    places = ((data / "postgres", "postgres"), (data / "run", "valkey-server"))
    return [process for folder, program in places for process in running_in(folder, program)]


def _main_processes(data: Path) -> set[int]:
    """PostgreSQL starts and ends workers as it likes; these two stay."""
    postmaster = int((data / "postgres" / "postmaster.pid").read_text().split()[0])
    return {postmaster, *(process.pid for process in running_in(data / "run", "valkey-server"))}


async def _answer(servers: Servers) -> None:
    connection = await asyncpg.connect(servers.database_url)
    try:
        assert await connection.fetchval("SELECT 1") == 1
    finally:
        await connection.close()
    with Redis.from_url(servers.redis_url) as redis:
        assert redis.ping()


async def test_runs_for_the_time_of_the_block(data: Path) -> None:
    with embedded(data, fast=True) as servers:
        await _answer(servers)
    assert not _servers_in(data)
    assert not (data / "run").exists()


async def test_keeps_what_was_stored(data: Path) -> None:
    for statement in ("CREATE TABLE kept ()", "DROP TABLE kept"):
        with embedded(data, fast=True) as servers:
            connection = await asyncpg.connect(servers.database_url)
            await connection.execute(statement)
            await connection.close()


def test_starts_only_what_is_asked_for(data: Path) -> None:
    with embedded(data, postgres=False) as servers:
        assert servers.database_url == ""
        assert {process.name() for process in _servers_in(data)} == {"valkey-server"}


def test_listens_on_no_network_address(data: Path) -> None:
    with embedded(data, fast=True):
        assert [found for process in _servers_in(data) for found in process.net_connections("inet")] == []


async def test_the_last_one_out_stops_the_servers(data: Path, start: Callable[[], Holder]) -> None:
    first, second = start(), start()
    running = _main_processes(data)
    first.leave()
    with embedded(data) as servers:
        await _answer(servers)
    assert _main_processes(data) == running
    second.leave()
    assert not _servers_in(data)


async def test_takes_over_what_a_killed_process_left_running(data: Path, start: Callable[[], Holder]) -> None:
    killed = start()
    running = _main_processes(data)
    killed.kill()
    with embedded(data) as servers:
        await _answer(servers)
        assert _main_processes(data) == running
    assert not _servers_in(data)


def test_servers_of_a_killed_test_session_are_swept_and_others_are_not(fresh: Path) -> None:
    used, abandoned = fresh / "saas-test-used", fresh / "saas-test-abandoned"
    with _holder(used) as user, _holder(abandoned) as killed:
        killed.kill()
        for folder in (used, abandoned):
            os.utime(folder / "users.lock", (0, 0))
        sweep(fresh)
        assert not abandoned.exists()
        assert not _servers_in(abandoned)
        assert _servers_in(used)
        assert user.process.poll() is None


async def test_ctrl_c_does_not_reach_the_servers(data: Path, start: Callable[[], Holder]) -> None:
    first, second = start(), start()
    running = _main_processes(data)
    os.killpg(first.process.pid, signal.SIGINT)  # what a terminal does
    first.process.wait(timeout=60)
    await _answer(Servers(**second.said))
    assert _main_processes(data) == running


async def test_recovers_when_the_number_of_a_killed_server_was_given_away(
    data: Path, start: Callable[[], Holder], stranger: int
) -> None:
    holder = start()
    servers = _servers_in(data)
    for process in [psutil.Process(holder.process.pid), *servers]:
        process.kill()
    holder.kill()
    psutil.wait_procs(servers, timeout=10)
    note = data / "postgres" / "postmaster.pid"
    _, *lines = note.read_text().splitlines(keepends=True)
    note.write_text("".join([f"{stranger}\n", *lines]))
    assert (data / "run" / SOCKET).exists()
    with embedded(data, fast=True) as running:
        await _answer(running)
    assert psutil.pid_exists(stranger)


@pytest.fixture
def stranger(data: Path) -> Iterator[int]:
    """A process of the servers' account that is none of them: PostgreSQL believes a number that such a one has."""
    with subprocess.Popen(["sleep", "600"], **account_for(data / "postgres").popen) as process:
        yield process.pid
        process.kill()


async def test_works_for_an_ordinary_user(fresh: Path) -> None:
    data = fresh / "data"
    data.mkdir()
    somebody = [str(_SOMEBODY)] if os.geteuid() == 0 else []
    if somebody:
        Account(_SOMEBODY, _SOMEBODY).let_pass(data)
        os.chown(data, _SOMEBODY, _SOMEBODY)
    with _holder(data, *somebody) as holder:
        await _answer(Servers(**holder.said))
        assert len({process.uids().real for process in _servers_in(data)} - {0}) == 1
    assert not _servers_in(data)


def test_a_folder_of_somebody_else_is_one_line(fresh: Path) -> None:
    data = fresh / "data"
    data.mkdir(mode=0o500)
    somebody = [str(_SOMEBODY)] if os.geteuid() == 0 else []
    Account(_SOMEBODY, _SOMEBODY).let_pass(fresh)
    with _holder(data, *somebody) as holder:
        assert holder.said == {
            "error": f"Cannot write to {data} (Permission denied): "
            "make it yours, or choose a folder with --data or SAAS_DATA"
        }


def test_a_long_path_has_its_sockets_elsewhere(fresh: Path) -> None:
    data = fresh / ("long" * 20) / "data folder"
    with embedded(data, postgres=False) as servers:
        with Redis.from_url(servers.redis_url) as redis:
            assert redis.ping()
        place = Path(servers.redis_url.removeprefix("unix://")).parent
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert not place.exists()


def test_refuses_a_place_for_sockets_that_others_may_enter(fresh: Path) -> None:
    (fresh / "run").mkdir()
    (fresh / "run").chmod(0o755)
    with pytest.raises(DevError, match="somebody else"), embedded(fresh):
        pass


def test_refuses_the_data_of_another_version(fresh: Path) -> None:
    (fresh / "postgres").mkdir()
    (fresh / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(DevError, match="made by PostgreSQL 16, this release runs 18: move"), embedded(fresh):
        pass


def test_refuses_a_file(fresh: Path) -> None:
    (fresh / "file").write_text("")
    with pytest.raises(DevError, match="is a file: choose a folder"), embedded(fresh / "file"):
        pass
    with pytest.raises(DevError, match="Cannot write to"), embedded(fresh / "file" / "data"):
        pass


def test_says_why_a_server_does_not_start(fresh: Path) -> None:
    with embedded(fresh, valkey=False, fast=True):
        pass
    (fresh / "postgres" / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(DevError, match=r"PostgreSQL does not start in .*postgres\.log"), embedded(fresh):
        pass
    assert not _servers_in(fresh)
