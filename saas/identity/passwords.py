"""Passwords at rest: argon2id, in worker threads, since each takes tens of milliseconds by intention.

Passwords are compared in NFKC (NIST SP 800-63B): the same keys make different code points on different machines.
"""

import base64
import os
import unicodedata
from dataclasses import dataclass
from typing import Final

from anyio import CapacityLimiter, to_thread
from passlib.context import CryptContext

from saas.web.problems import PageError

#: OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
_MEMORY_KIB: Final = 19_456
_PASSES: Final = 2
_LANES: Final = 1
_CONTEXT: Final = CryptContext(
    schemes=["argon2"],
    argon2__type="ID",
    argon2__memory_cost=_MEMORY_KIB,
    argon2__time_cost=_PASSES,
    argon2__parallelism=_LANES,
)
#: More threads than cores would only make each slower, and hold 19 MiB more.
_threads: Final = CapacityLimiter(max(2, os.cpu_count() or 1))
#: Some seconds of work; whoever comes later is asked to come again.
_MOST_WAITING: Final = 100


class TooBusy(PageError):
    """Too many passwords wait to be hashed."""

    status = 503
    code = "busy"
    title = "Too much is going on"

    def __init__(self) -> None:
        super().__init__("Try again in a few seconds.", headers={"Retry-After": "5"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """True where the password is right. `rehashed` replaces a hash that was made with other parameters than today's."""

    ok: bool
    rehashed: str | None = None

    def __bool__(self) -> bool:
        return self.ok


async def hash_password(password: str) -> str:
    """The hash with its salt and parameters, in the PHC string format. Raises TooBusy."""
    _check_queue()
    hashed: str = await to_thread.run_sync(_CONTEXT.hash, normalized(password), limiter=_threads)
    return hashed


async def verify_password(password: str, password_hash: str | None) -> Verdict:
    """Takes as long where there is no hash: the time does not tell whether an account exists. Raises TooBusy.

    Raises ValueError where `password_hash` is not one that `hash_password` made.
    """
    _check_queue()
    stored = password_hash or _unmatched_hash()
    ok, rehashed = await to_thread.run_sync(_CONTEXT.verify_and_update, normalized(password), stored, limiter=_threads)
    return Verdict(ok and password_hash is not None, rehashed)


def normalized(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _unmatched_hash() -> str:
    """A hash of nothing, made without hashing: to compare with it costs what a real one costs."""
    salt, digest = (base64.b64encode(os.urandom(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m={_MEMORY_KIB},t={_PASSES},p={_LANES}${salt}${digest}"


def _check_queue() -> None:
    if _threads.statistics().tasks_waiting >= _MOST_WAITING:
        raise TooBusy
