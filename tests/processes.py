"""Real processes of the product: started, waited for, and ended."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from tenants.registry import Tenant

_START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Server:
    """A server process on a loopback port."""

    process: subprocess.Popen[bytes]
    port: int

    def client(self, tenant: Tenant | None = None) -> httpx.Client:
        """An HTTP client on the wire; its Host header is the tenant's."""
        headers = {"Host": tenant.host} if tenant else {}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def run_server(environment: Mapping[str, str], *arguments: str, port: int | None = None) -> Iterator[Server]:
    """`saas serve` on a free port, or this one, until the block ends; it must end by SIGTERM, in good order."""
    port = port or free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "saas.cli", "serve", "--port", str(port), *arguments],
        env={**os.environ, **environment},
    )
    try:
        wait_until_ready(process, port)
        yield Server(process, port)
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    """Raises RuntimeError when the process ends first, or takes too long."""
    deadline = time.monotonic() + _START_SECONDS
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:  # each one reads all certificates
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError(f"The server ended with exit code {process.returncode}")
            try:
                if client.get("/readyz").status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
    raise RuntimeError("The server is not ready in time")
