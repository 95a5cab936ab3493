"""WebAuthn challenges: sealed into the form that they are answered with, so that whoever only looks writes nothing.

Each is bound to what it is for, the tenant, the host, the browser and the person; it is answered once, within minutes.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple
from uuid import UUID

from saas.kit.crypto import Sealer, UnsealError, digest
from saas.kit.ids import new_secret
from tenants.registry import Tenant

#: What a passkey is asked for: to be made, to sign in alone, after a password, or to confirm who is signed in.
Purpose = Literal["create", "sign-in", "second-step", "confirm"]

LIFETIME: Final = timedelta(minutes=15)
_TIME_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where a challenge is given and answered. `browser` is the secret that the browser's own cookie holds.

    `host` becomes the RP ID, `origin` is what the browser must say; `user_id` is None where nobody is known yet.
    """

    tenant: Tenant
    purpose: Purpose
    host: str
    origin: str
    browser: str
    user_id: UUID | None = None

    @property
    def context(self) -> bytes:
        person = b"" if self.user_id is None else self.user_id.bytes
        bound = (self.purpose.encode(), self.host.encode(), digest(self.browser), person)
        return b"passkey challenge\0" + self.tenant.id.bytes + b"\0".join(bound)


class Challenge(NamedTuple):
    value: bytes
    expires_at: datetime


def new_challenge(sealer: Sealer, place: Place, now: datetime) -> tuple[bytes, str]:
    """The challenge, and the `state` that comes back with its answer."""
    value = new_secret().encode()
    stamp = int((now + LIFETIME).timestamp()).to_bytes(_TIME_BYTES, "big")
    return value, urlsafe_b64encode(sealer.seal(stamp + value, place.context)).decode()


def open_challenge(sealer: Sealer, place: Place, state: str, now: datetime) -> Challenge | None:
    """None unless it was given at this place and may still be answered. That it has not been, the database knows."""
    try:
        plain = sealer.open(urlsafe_b64decode(state), place.context)
    except (UnsealError, ValueError):  # binascii.Error is one too
        return None
    expires_at = datetime.fromtimestamp(int.from_bytes(plain[:_TIME_BYTES], "big"), UTC)
    return Challenge(plain[_TIME_BYTES:], expires_at) if now < expires_at else None
