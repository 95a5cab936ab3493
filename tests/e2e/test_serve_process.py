"""`saas serve` as a service manager meets it: what it refuses, how it stops, what it logs."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from saas.services import Services
from tests.e2e import dev

_SECONDS = 60


@contextmanager
def _serve(environment: Mapping[str, str], log: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that listens on a free port. Its standard error goes to `log`."""
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "saas.cli", "serve", "--port", "0", "--json", *arguments],
            env=dev.environment(environment),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _announced(process: "subprocess.Popen[str]") -> dict[str, int | str]:
    assert process.stdout is not None
    document: dict[str, int | str] = json.loads(process.stdout.readline())
    return document


def test_serves_logs_json_and_finishes_open_requests_before_it_stops_by_sigterm(
    environment: dict[str, str], services: Services, tmp_path: Path
) -> None:
    with _serve(environment, tmp_path / "log") as process:
        announced = _announced(process)
        assert announced["workers"] == 1
        assert announced["pid"] == process.pid
        port = int(announced["port"])
        answer = httpx.get(f"http://127.0.0.1:{port}/readyz")
        assert answer.status_code == 200
        assert "server" not in answer.headers
        with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as connection:
            head = b"POST /oauth2/token HTTP/1.1\r\nHost: nobody.localhost\r\nContent-Length: 4\r\n"
            connection.sendall(head + b"Expect: 100-continue\r\n\r\n")
            _wait_until_busy(port)
            process.send_signal(signal.SIGTERM)
            _wait_until_closed(port)
            connection.sendall(b"a=bc")
            assert b"HTTP/1.1 404" in _read_all(connection)
        assert process.wait(_SECONDS) == 0
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert "Serving" in {event["event"] for event in events}
    assert all(event["timestamp"].endswith("Z") for event in events)


def _wait_until_busy(port: int) -> None:
    """One more answer: what was sent before has been read too."""
    httpx.get(f"http://127.0.0.1:{port}/healthz").raise_for_status()


def _wait_until_closed(port: int) -> None:
    for _ in _attempts():
        try:
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=_SECONDS)
        except httpx.TransportError:
            return


def _read_all(connection: socket.socket) -> bytes:
    received = b""
    while part := connection.recv(65_536):
        received += part
    return received


def test_runs_several_workers_and_replaces_one_that_dies(
    environment: dict[str, str], services: Services, tmp_path: Path
) -> None:
    with _serve(environment, tmp_path / "log", "--workers", "2") as process:
        port = _announced(process)["port"]
        assert httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=_SECONDS).status_code == 200
        parent = psutil.Process(process.pid)
        victim = _workers(parent)[0]
        victim.kill()
        for _ in _attempts():
            if victim not in _workers(parent) and len(_workers(parent)) == 2:
                break
        assert httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=_SECONDS).status_code == 200
        workers = _workers(parent)
        process.terminate()
        assert process.wait(_SECONDS) == 0
        assert not psutil.wait_procs(workers, timeout=_SECONDS)[1]


def _workers(parent: psutil.Process) -> list[psutil.Process]:
    living = [child for child in parent.children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in living if "spawn_main" in " ".join(child.cmdline())]


def _attempts() -> Iterator[None]:
    """As many as fit in the time, then the test fails."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        yield
        time.sleep(0.1)  # to look through all processes takes a tenth of that
    raise AssertionError("It did not happen in time")


def test_a_port_in_use_is_one_line(environment: dict[str, str], services: Services) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = dev.saas("serve", "--port", str(taken.getsockname()[1]), extra=environment)
    assert done.returncode == 1
    assert "in use" in done.stderr
    assert done.stderr.count("\n") == 1
