"""Who uses the servers of a data folder: file locks, which the kernel takes back from a process however it ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from saas.dev.errors import DevError

#: Seconds to wait for another process that is starting or stopping the servers.
_PATIENCE: Final = 120.0
_POLL: Final = 0.02


class Lease:
    """A share in the running servers of a folder; the OSError of a folder that cannot be written to is the caller's."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._start = _open(data / "start.lock")
        self._users = _open(data / "users.lock")

    def close(self) -> None:
        os.close(self._users)
        os.close(self._start)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """For the block, nobody else starts or stops the servers. Raises DevError where that takes too long."""
        deadline = time.monotonic() + _PATIENCE
        while not _try_lock(self._start):
            if time.monotonic() > deadline:
                raise DevError(f"Another process still starts or stops the servers in {self._data}: end it first")
            time.sleep(_POLL)
        try:
            yield
        finally:
            fcntl.flock(self._start, fcntl.LOCK_UN)

    def share(self) -> None:
        """While alone: use the servers from now on."""
        fcntl.flock(self._users, fcntl.LOCK_SH)

    def is_last(self) -> bool:
        """While alone: whether nobody else uses the servers."""
        return _try_lock(self._users)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
