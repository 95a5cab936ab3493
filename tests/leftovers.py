"""What killed test sessions left behind: servers that still run, and their folders."""

import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from saas.dev import DevError, embedded

_PLACES = ("saas-test-*", "saas-test-*/data", "saas-bench-*")
#: A folder that is younger may belong to a session that has not started its servers yet.
_SECONDS = 300


def sweep(*roots: Path) -> None:
    """Stop servers in folders of tests and benchmarks that no living process uses, and delete these folders."""
    for root in {Path(tempfile.gettempdir()), *roots}:
        for lock in (lock for place in _PLACES for lock in root.glob(f"{place}/users.lock")):
            with suppress(DevError, OSError):
                if time.time() - lock.stat().st_mtime > _SECONDS:
                    _remove_unused(lock.parent)


def _remove_unused(data: Path) -> None:
    """Who enters and leaves as the last one stops the servers; their sockets are gone then."""
    with embedded(data, postgres=False, valkey=False):
        pass
    if not (data / "run").exists():
        shutil.rmtree(data, ignore_errors=True)
