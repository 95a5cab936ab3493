"""Between the password and the second step: who has given the right password, sealed into a cookie of this browser.

It opens nothing but the pages of that step, at this tenant, for ten minutes, and while the password stays what it is.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from saas.identity.cookies import clear_cookie, read_cookie, set_cookie
from saas.identity.users import User
from saas.kit.clock import utc_now
from saas.kit.crypto import Sealer, UnsealError, digest, same
from tenants.registry import Tenant

LIFETIME: Final = timedelta(minutes=10)
_ID_BYTES: Final = 16
_TIME_BYTES: Final = 8


def set_pending(request: Request, response: Response, user_id: UUID, password_hash: str) -> None:
    tenant, stamp = request.scope["tenant"], int(utc_now().timestamp())
    plain = user_id.bytes + stamp.to_bytes(_TIME_BYTES, "big") + digest(password_hash)
    sealed = request.app.state.sealer.seal(plain, _context(tenant))
    set_cookie(response, tenant, urlsafe_b64encode(sealed).decode(), LIFETIME, "pending")


def clear_pending(request: Request, response: Response) -> None:
    if read_cookie(request, "pending") is not None:
        clear_cookie(response, request.scope["tenant"], "pending")


async def find_pending(request: Request, session: AsyncSession) -> User | None:
    """Who has given their password in this browser; their row is locked. Forms of the answer belong to them."""
    opened = _open(request.app.state.sealer, request.scope["tenant"], read_cookie(request, "pending"), utc_now())
    locked = None if opened is None else await request.app.state.users.lock(session, opened[0])
    if opened is None or locked is None:
        return None
    user: User = locked[0]
    if not same(digest(locked[1] or ""), opened[1]):
        return None
    request.scope["session_id"] = f"pending {user.id}"
    return user


def _open(sealer: Sealer, tenant: Tenant, value: str | None, now: datetime) -> tuple[UUID, bytes] | None:
    """The user's id, and the digest of the hash of the password that they gave."""
    try:
        plain = sealer.open(urlsafe_b64decode(value or ""), _context(tenant))
    except (UnsealError, ValueError):  # binascii.Error is one too
        return None
    rest = plain[_ID_BYTES:]
    age = now.timestamp() - int.from_bytes(rest[:_TIME_BYTES], "big")
    return (UUID(bytes=plain[:_ID_BYTES]), rest[_TIME_BYTES:]) if age <= LIFETIME.total_seconds() else None


def _context(tenant: Tenant) -> bytes:
    return b"pending sign-in\0" + tenant.id.bytes
