"""`saas dev` and other commands as processes of their own, in an environment without our settings."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from saas.dev.processes import running_in

_SECONDS: Final = 120
_COMMAND: Final = (sys.executable, "-m", "saas.cli")


@dataclass(frozen=True, slots=True)
class Dev:
    """A `saas dev` that is ready; `document` is what it printed with --json."""

    process: subprocess.Popen[str]
    document: dict[str, Any]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, as a service manager does; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(_SECONDS)

    def token(self, slug: str) -> httpx.Response:
        """Ask the tenant for a token with the printed credentials."""
        tenant = next(tenant for tenant in self.document["tenants"] if tenant["slug"] == slug)
        return httpx.post(
            f"{self.document['base_url']}/oauth2/token",
            headers={"Host": tenant["host"]},
            auth=(tenant["client_id"], tenant["client_secret"]),
            data={"grant_type": "client_credentials"},
        )

    def credentials(self) -> list[dict[str, str]]:
        return [
            {name: value for name, value in tenant.items() if name != "issuer"} for tenant in self.document["tenants"]
        ]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's, without settings and proxies; and without schemas that nobody here would take."""
    unwanted = ("SAAS_", "HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy")
    own = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return {**own, "SAAS_WORKER_POOL": "0", **(extra or {})}


def start(data: Path, *arguments: str, extra: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """A `saas dev` of a terminal of its own."""
    return subprocess.Popen(
        [*_COMMAND, "dev", "--data", str(data), "--port", "0", *arguments],
        env=environment(extra),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@contextmanager
def running(data: Path, *, extra: Mapping[str, str] | None = None) -> Iterator[Dev]:
    """`saas dev --json`, from its line to the end of the block."""
    with start(data, "--json", extra=extra) as process:
        try:
            assert process.stdout is not None
            yield Dev(process, json.loads(process.stdout.readline()))
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(_SECONDS)


def saas(*arguments: str, extra: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A command, from start to end."""
    return subprocess.run(
        [*_COMMAND, *arguments],
        env=environment(extra),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


def servers_in(data: Path) -> list[psutil.Process]:
    """The server processes of a data folder."""
    places = ((data / "postgres", "postgres"), (data / "run", "valkey-server"))
    return [process for folder, program in places for process in running_in(folder, program)]
