"""How often people may try: per account, so that nobody guesses a password; per address, so that nobody guesses whose.

An account is counted by the address that was typed, whether it exists or not, so the answer tells nothing of it. Where
nobody can count, nobody may try.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from uuid import UUID

from saas.identity.errors import TooManyAttempts
from saas.settings import IdentitySettings
from saas.web.address import site_of

log = logging.getLogger(__name__)

_QUARTER: Final = 900
_HOUR: Final = 3600
_MAILS_PER_ACCOUNT: Final = 3
_MAILS_PER_ADDRESS: Final = 30
_LINKS_PER_ADDRESS: Final = 60
_DEVICES_PER_ACCOUNT: Final = 30
_DEVICES_PER_ADDRESS: Final = 90
#: Seconds after which an answer from the counter comes too late.
_TIMEOUT: Final = 2.0
#: Seconds to wait where nobody can count.
_PAUSE: Final = 30


@dataclass(frozen=True, slots=True)
class Allowance:
    """`amount` attempts in `period` seconds, all of them at once if need be. `name` says what of whom is counted."""

    name: str
    amount: int
    period: int


#: Charges one attempt to all allowances of a tenant, or to none where one is used up: then the seconds to wait, else 0.
Charge = Callable[[UUID, Sequence[Allowance]], Awaitable[int]]


class Throttle:
    """Its methods raise TooManyAttempts. `email` is in the form of `email_key`."""

    def __init__(self, charge: Charge, settings: IdentitySettings) -> None:
        self._charge = charge
        self._per_account = settings.attempts_per_account
        self._per_address = settings.attempts_per_address

    async def password(self, tenant_id: UUID, email: str, address: str) -> None:
        """Before a password is compared."""
        await self._check(
            tenant_id,
            Allowance(f"signin-account:{_short(email)}", self._per_account, _QUARTER),
            Allowance(f"signin-address:{site_of(address)}", self._per_address, _QUARTER),
        )

    async def mail(self, tenant_id: UUID, email: str, address: str) -> None:
        """Before mail goes to somebody at a stranger's wish."""
        await self._check(
            tenant_id,
            Allowance(f"mail-account:{_short(email)}", _MAILS_PER_ACCOUNT, _HOUR),
            Allowance(f"mail-address:{site_of(address)}", _MAILS_PER_ADDRESS, _HOUR),
        )

    async def link(self, tenant_id: UUID, address: str) -> None:
        """Before a mailed link is used."""
        await self._check(tenant_id, Allowance(f"link-address:{site_of(address)}", _LINKS_PER_ADDRESS, _QUARTER))

    async def factor(self, tenant_id: UUID, user_id: UUID, address: str) -> None:
        """Before a second factor of somebody who has given their password is looked at."""
        await self._check(
            tenant_id,
            Allowance(f"factor-account:{user_id.hex}", self._per_account, _QUARTER),
            Allowance(f"factor-address:{site_of(address)}", self._per_address, _QUARTER),
        )

    async def passkey(self, tenant_id: UUID, address: str) -> None:
        """Before a passkey of nobody knows whom is looked at."""
        await self._check(tenant_id, Allowance(f"passkey-address:{site_of(address)}", self._per_address, _QUARTER))

    async def device(self, tenant_id: UUID, user_id: UUID, address: str) -> None:
        """Before somebody who is signed in looks for a device by its code (RFC 8628 section 5.1)."""
        await self._check(
            tenant_id,
            Allowance(f"device-account:{user_id.hex}", _DEVICES_PER_ACCOUNT, _QUARTER),
            Allowance(f"device-address:{site_of(address)}", _DEVICES_PER_ADDRESS, _QUARTER),
        )

    async def _check(self, tenant_id: UUID, *allowances: Allowance) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT):
                wait = await self._charge(tenant_id, allowances)
        except Exception:
            log.exception("Attempts cannot be counted: none is let through")
            wait = _PAUSE
        if wait > 0:
            raise TooManyAttempts(wait)


def _short(email: str) -> str:
    """Of one length, and no address in a key or a log."""
    return sha256(email.encode()).hexdigest()[:32]
