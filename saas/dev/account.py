"""As whom the servers run. PostgreSQL refuses to run as root, so root gives it an account of its own."""

import logging
import os
import pwd
import stat
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saas.dev.errors import DevError

log = logging.getLogger(__name__)

_NAME = "pgserver"
_USERADD = ("useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", _NAME)


@dataclass(frozen=True, slots=True)
class Account:
    """A system account, or oneself where `uid` is None."""

    uid: int | None = None
    gid: int | None = None

    @property
    def popen(self) -> dict[str, Any]:
        """Arguments for `subprocess`: run as the account, out of reach of the terminal's Ctrl-C."""
        other: dict[str, Any] = {} if self.uid is None else {"user": self.uid, "group": self.gid, "extra_groups": []}
        return {"start_new_session": True, "stdin": subprocess.DEVNULL, **other}

    def own(self, folder: Path) -> None:
        """Give the folder to the account."""
        if self.uid is not None and self.gid is not None:
            os.chown(folder, self.uid, self.gid)

    def let_pass(self, path: Path) -> None:
        """Let the account reach `path`: the right to pass, not to list, on each folder above that denies it."""
        if self.uid is None:
            return
        closed = [
            folder
            for folder in (*reversed(path.resolve().parents), path.resolve())
            if folder.is_dir() and not self._may(folder, stat.S_IXUSR)
        ]
        for folder in closed:
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
        if closed:
            names = ", ".join(map(str, closed))
            log.warning("Servers do not run as root: other users may now pass through %s", names)

    def let_read(self, trees: Iterable[Path]) -> None:
        """Let the account read the installed programs below `trees`, where a strict umask has denied it."""
        for tree in trees:
            for path in (tree, *tree.rglob("*")):
                if path.is_symlink() or self.uid is None:
                    continue
                mode = path.stat().st_mode
                # what the owner may do with an installed file, others may see and run
                wanted = mode | (mode & (stat.S_IRUSR | stat.S_IXUSR)) >> 6
                if wanted != mode:
                    path.chmod(wanted)

    def may_run(self, program: Path) -> bool:
        return self._may(program, stat.S_IXUSR) and self._may(program, stat.S_IRUSR)

    def _may(self, path: Path, bit: int) -> bool:
        """Whether the mode grants the owner's `bit` to the account."""
        status = path.stat()
        if self.uid is None:
            return True
        if status.st_uid == self.uid:
            return bool(status.st_mode & bit)
        if status.st_gid == self.gid:
            return bool(status.st_mode & bit >> 3)
        return bool(status.st_mode & bit >> 6)


def account_for(existing: Path) -> Account:
    """Oneself; for root, the owner of the `existing` database folder, or an account that is made for the purpose."""
    if os.geteuid() != 0:
        return Account()
    if existing.exists() and (status := existing.stat()).st_uid != 0:
        return Account(status.st_uid, status.st_gid)
    entry = _find() or _create()
    return Account(entry.pw_uid, entry.pw_gid)


def _find() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(_NAME)
    except KeyError:
        return None


def _create() -> pwd.struct_passwd:
    deadline = time.monotonic() + 10
    while True:
        try:
            done = subprocess.run(_USERADD, capture_output=True, text=True, check=False)  # noqa: S603 - constant
            reason = done.stderr.strip()
        except OSError as error:
            done, reason = None, str(error)
        entry = _find()
        if entry is not None:
            return entry
        if done is None or time.monotonic() > deadline:  # another process may hold the lock on the user list
            raise DevError(
                f"PostgreSQL does not run as root and the user {_NAME} cannot be made ({reason}): "
                "run the command as an ordinary user"
            )
        time.sleep(0.1)
