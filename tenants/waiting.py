"""Requests that wait while their tenant is moved to another database: a short pause instead of an error."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from tenants.changes import Changes
from tenants.errors import TenantMoving
from tenants.registry import Tenant

#: Seconds after which a request looks again, should the message that its tenant has changed be lost.
_LOOK_AGAIN: Final = 0.5


class Waiting:
    """At most `most` requests of this process wait at once, each for up to `patience` seconds."""

    def __init__(self, changes: Changes, *, patience: float = 30.0, most: int = 1000) -> None:
        self._patience = patience
        self._most = most
        self._waiters: dict[asyncio.Event, UUID] = {}
        changes.listen(self._wake)

    async def until_served(self, moving: TenantMoving, resolve: Callable[[], Awaitable[Tenant]]) -> Tenant:
        """What `resolve` returns once its tenant is not being moved any more.

        Raises `moving` when that takes too long or too many wait, and whatever else `resolve` raises.
        """
        if len(self._waiters) >= self._most:
            raise moving
        deadline = time.monotonic() + self._patience
        changed = asyncio.Event()
        self._waiters[changed] = moving.tenant_id
        try:
            while (left := deadline - time.monotonic()) > 0:
                await _wait(changed, min(left, _LOOK_AGAIN))
                changed.clear()
                try:
                    return await resolve()
                except TenantMoving:
                    continue
            raise moving
        finally:
            del self._waiters[changed]

    def _wake(self, tenant_id: UUID | None) -> None:
        for event, waited_for in self._waiters.items():
            if tenant_id is None or tenant_id == waited_for:
                event.set()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
