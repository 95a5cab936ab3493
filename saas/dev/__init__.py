"""The embedded default: PostgreSQL and Valkey from their wheels, in a data folder that processes share."""

import hashlib
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from saas.dev.account import Account, account_for
from saas.dev.errors import DevError
from saas.dev.lease import Lease
from saas.dev.postgres import SOCKET, Postgres
from saas.dev.private import master_key
from saas.dev.valkey import Valkey

__all__ = ["DevError", "Servers", "alone", "embedded", "master_key"]

#: What the systems that we know leave of a socket's path: Linux 107 bytes, macOS 103.
_SOCKET_PATH_LIMIT = 103


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the servers answer; empty for one that was not asked for."""

    database_url: str
    redis_url: str


@contextmanager
def embedded(data: Path, *, postgres: bool = True, valkey: bool = True, fast: bool = False) -> Iterator[Servers]:
    """Servers for the time of the block, shared with every process that uses the same folder.

    Who comes first starts them, who leaves last stops them; what a killed process left running is taken over.
    With `fast` PostgreSQL does not wait for the disk: for data that nobody will miss. Raises DevError.
    """
    data, account, lease = _open(data)
    sockets = _sockets_folder(data)
    database = Postgres(data, sockets, account, fast=fast) if postgres else None
    cache = Valkey(data, sockets, account) if valkey else None
    with closing(lease):
        try:
            with lease.alone():
                lease.share()
                _start(data, sockets, account, database, cache)
            yield Servers(database.url if database else "", cache.url if cache else "")
        finally:
            with _undisturbed(), lease.alone():
                if lease.is_last():
                    Valkey(data, sockets, account).stop()
                    Postgres(data, sockets, account).stop()
                    shutil.rmtree(sockets, ignore_errors=True)


def _start(data: Path, sockets: Path, account: Account, database: Postgres | None, cache: Valkey | None) -> None:
    try:
        if database:
            database.check_version()
        account.let_pass(data)
        _make_sockets_folder(sockets, account)
        if database:
            database.ensure()
        if cache:
            cache.ensure()
    except OSError as error:
        raise DevError(f"The servers do not start in {data}: {error}") from error


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """For the block, no other process changes the data folder, which is made if need be. Raises DevError."""
    _, _, lease = _open(data)
    with closing(lease), lease.alone():
        yield


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Another Ctrl-C changes nothing: it would leave the servers running."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _open(data: Path) -> tuple[Path, Account, Lease]:
    """The data folder, made if need be; as whom its servers run; who uses them."""
    try:
        if not data.is_dir():
            # The servers' account must pass through a folder that root has made.
            data.mkdir(mode=0o700 if os.geteuid() else 0o711, parents=True)
        folder = data.resolve()
        return folder, account_for(folder / "postgres"), Lease(folder)
    except FileExistsError as error:
        raise DevError(f"{data} is a file: choose a folder with --data or SAAS_DATA") from error
    except OSError as error:
        raise DevError(
            f"Cannot write to {data} ({error.strerror}): make it yours, or choose a folder with --data or SAAS_DATA"
        ) from error


def _sockets_folder(data: Path) -> Path:
    """In the data folder; where that makes the path too long, a short one that is always the same for the folder."""
    run = data / "run"
    if len(os.fsencode(run / SOCKET)) <= _SOCKET_PATH_LIMIT:
        return run
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(f"/tmp/saas-{name}")  # noqa: S108 - short is the point; what may be in it is checked


def _make_sockets_folder(sockets: Path, account: Account) -> None:
    """Raises DevError where the place is taken by something of another user."""
    sockets.mkdir(mode=0o700, exist_ok=True)
    status = sockets.lstat()
    if sockets.is_symlink() or status.st_uid not in {os.geteuid(), account.uid} or status.st_mode & 0o077:
        raise DevError(f"{sockets} belongs to somebody else: remove it, or choose another data folder")
    account.own(sockets)
