"""Server processes under measurement: started on one core, with their CPU time read from outside."""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from saas.cli.listening import OPTIONS
from saas.dev import embedded

_START_SECONDS = 30
_SHM = "/dev/shm"
#: Bytes that the schemas of thousands of tenants need.
_ROOM = 8 << 30


@dataclass(frozen=True, slots=True)
class Step:
    """A request and the status that a good answer has; `take` is a regular expression that names what it finds."""

    request: str
    status: int = 200
    take: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to measure: a flow of requests to a server.

    `values`: what `{names}` begin with, on each connection; `choices`: one of these at random comes on top, each time.
    """

    name: str
    port: int
    pid: int
    steps: tuple[Step, ...]
    values: tuple[dict[str, str], ...] = ()
    choices: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    per_second: float
    #: CPU microseconds of the server process for one flow; other processes (the database) are not in it.
    cpu_us: float
    #: Milliseconds of one flow.
    p50: float
    p95: float
    p99: float


@contextmanager
def databases(*, fast: bool = False) -> Iterator[str]:
    """PostgreSQL with fsync on, and Valkey, named in this process's environment; yields PostgreSQL's URL.

    `fast`, for what only reads: without fsync, and in memory where there is room. A tenant has 145 files, and to
    make and remove those of thousands is all that a disk would be asked.
    """
    with tempfile.TemporaryDirectory(prefix="saas-bench-", dir=_memory() if fast else None) as folder:
        Path(folder).chmod(0o755)
        with embedded(Path(folder), fast=fast) as servers:
            os.environ |= {
                "SAAS_DATABASE_URL": servers.database_url,
                "SAAS_REDIS_URL": servers.redis_url,
                "SAAS_SECRETS_MASTER_KEY": base64.b64encode(os.urandom(32)).decode(),
                "SAAS_PUBLIC_URL": "http://localhost:8000",
                "SAAS_LOG_LEVEL": "warning",
                "SAAS_LIMITS_PER_ADDRESS": "1000000000",
            }
            yield servers.database_url


def bare_server(app: str, environment: Mapping[str, str]) -> AbstractContextManager[tuple[int, int]]:
    """As uvicorn comes, with the quickest parts that it has; yields (port, pid)."""
    return _uvicorn([app, "--http", "httptools", "--loop", "uvloop"], environment)


def server(app: str, environment: Mapping[str, str]) -> AbstractContextManager[tuple[int, int]]:
    """As `saas serve` runs what the factory `app` makes; yields (port, pid)."""
    named = [f"--{name}={OPTIONS[name]}" for name in ("http", "loop", "ws")]
    off = [f"--no-{name.replace('_', '-')}" for name in ("proxy_headers", "server_header") if not OPTIONS[name]]
    return _uvicorn([app, "--factory", *named, *off], environment)


@contextmanager
def _uvicorn(arguments: list[str], environment: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """One worker on a free port of its own, and on one core."""
    port = _free_port()
    quiet = ["--no-access-log", "--log-level=warning"]
    command = [sys.executable, "-m", "uvicorn", *arguments, f"--port={port}", *quiet]
    process = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        _pin(process.pid, 0)
        _wait_for(port, process)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def measure(target: Target, *, seconds: float, connections: int, pause: float = 0) -> Result:
    """Load the target from a process on the other core. Raises RuntimeError on an answer that is not the expected.

    `pause`: seconds that a connection waits between two flows, on average.
    """
    job = {
        "port": target.port,
        "steps": [{"request": s.request, "status": str(s.status), "take": s.take} for s in target.steps],
        "values": target.values or [{} for _ in range(connections)],
        "choices": target.choices,
        "pause": pause,
        "seconds": seconds,
    }
    process = psutil.Process(target.pid)
    before = process.cpu_times()
    load = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    _pin(load.pid, 1)
    output, _ = load.communicate(json.dumps(job))
    after = process.cpu_times()
    outcome = json.loads(output)
    if outcome["failures"]:
        raise RuntimeError(f"{target.name}: an unexpected answer:\n{outcome['failures'][0]}")
    for values, last in zip(target.values, outcome["values"], strict=False):
        values.update(last)  # a flow goes on where it ended: a refresh token is good once
    cpu = (after.user + after.system) - (before.user + before.system)
    shares = (outcome[share] * 1e3 for share in ("p50", "p95", "p99"))
    return Result(outcome["answers"] / outcome["seconds"], cpu / outcome["answers"] * 1e6, *shares)


def _memory() -> str | None:
    """Linux has a folder that is in memory. Containers often have little of it."""
    room = shutil.disk_usage(_SHM).free if Path(_SHM).is_dir() else 0
    return _SHM if room > _ROOM else None


def _pin(pid: int, core: int) -> None:
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(pid, {core})


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"The server ended with exit code {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("The server did not start in time")
