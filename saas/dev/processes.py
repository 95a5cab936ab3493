"""Server processes that run in a folder, also those that a killed process has left behind."""

import os
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from signal import SIGKILL, Signals
from typing import Final

import psutil

from saas.dev.account import Account

_POLL: Final = 0.02
_ERROR: Final = re.compile(r"\b(FATAL|PANIC|error):|can't|failed", re.IGNORECASE)
#: Variables like PGPORT must not reach the servers.
_ENVIRONMENT: Final = {"PATH": os.defpath, "LC_ALL": "C"}
#: Processes that this one has started, by number: whoever has children must collect them when they end.
_children: dict[int, subprocess.Popen[bytes]] = {}


def spawn(command: Sequence[str | Path], *, folder: Path, log: Path, account: Account) -> psutil.Process:
    """Start a server that outlives this process and hears nothing of its terminal. The log is begun anew."""
    with log.open("wb") as output:
        log.chmod(0o600)
        child = subprocess.Popen(  # noqa: S603 - our own programs
            command, cwd=folder, env=_ENVIRONMENT, stdout=output, stderr=subprocess.STDOUT, **account.popen
        )
    _children[child.pid] = child
    return psutil.Process(child.pid)


def call(command: Sequence[str | Path], *, folder: Path, account: Account) -> tuple[int, str]:
    """Run a program to its end: its exit code, and what it wrote. Where we are interrupted, its children end too."""
    with subprocess.Popen(  # noqa: S603 - our own programs
        command,
        cwd=folder,
        env=_ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **account.popen,
    ) as child:
        try:
            output, _ = child.communicate()
        except BaseException:
            os.killpg(child.pid, SIGKILL)
            raise
    return child.returncode, output


def running_in(folder: Path, program: str) -> list[psutil.Process]:
    """Living processes of `program` that work in `folder`. A number in a file may be another process's by now."""
    found = []
    for process in psutil.process_iter(["name"]):
        try:
            if process.info["name"] == program and lives(process) and Path(process.cwd()) == folder:
                found.append(process)
        except (psutil.Error, OSError):
            continue  # ended meanwhile, or another user's
    return found


def end(processes: Sequence[psutil.Process], signal: Signals, grace: float) -> None:
    """Send the signal, wait up to `grace` seconds, and kill what is left."""
    for process in processes:
        _send(process, signal)
    for process in _wait(processes, grace):
        _send(process, SIGKILL)
    _wait(processes, grace)


def lives(process: psutil.Process) -> bool:
    """Whether it still runs. A zombie is dead, though nobody may be there to collect it."""
    try:
        living = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        living = False
    if not living and (child := _children.pop(process.pid, None)) is not None:
        child.wait()
    return living


def complaint(log: str) -> str:
    """Why a program gave up: the first error that it speaks of, else what it said last."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.search(line)]
    return (errors or lines[-1:] or ["it says nothing"])[0]


def _send(process: psutil.Process, signal: Signals) -> None:
    try:
        process.send_signal(signal)
    except psutil.NoSuchProcess:
        return


def _wait(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that still live after so many seconds."""
    deadline = time.monotonic() + seconds
    while living := [process for process in processes if lives(process)]:
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL)
    return living
