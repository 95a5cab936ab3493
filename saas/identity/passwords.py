"""Passwords at rest: argon2id, in a worker thread, since each takes tens of milliseconds by intention."""

from typing import Final

from anyio import to_thread
from passlib.context import CryptContext

#: OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
_CONTEXT: Final = CryptContext(
    schemes=["argon2"],
    argon2__type="ID",
    argon2__memory_cost=19_456,
    argon2__time_cost=2,
    argon2__parallelism=1,
)


async def hash_password(password: str) -> str:
    """The hash with its salt and parameters, in the PHC string format."""
    hashed: str = await to_thread.run_sync(_CONTEXT.hash, password)
    return hashed


async def verify_password(password: str, password_hash: str) -> bool:
    """Raises ValueError where `password_hash` is not one that `hash_password` made."""
    verified: bool = await to_thread.run_sync(_CONTEXT.verify, password, password_hash)
    return verified
