"""Sends logout tokens to the clients that want them (OpenID Connect Back-Channel Logout section 2.5)."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog

from saas.authserver.logout_token import logout_token
from saas.keys.service import KeyService
from saas.kit.clock import Clock, utc_now
from saas.kit.outbound import Outbound, OutboundError
from saas.oauth.grants.logouts import Delivery, LogoutQueue
from tenants.database import Database
from tenants.registry import Tenant

log = structlog.get_logger(__name__)

#: Sent at once; each is over before the lease is, so that nobody else sends it too.
_BATCH: Final = 20
_LEASE: Final = timedelta(minutes=1)
#: After the first failure; four times as long after each more, six hours at most.
_FIRST_PAUSE: Final = timedelta(seconds=30)
_LONGEST_PAUSE: Final = timedelta(hours=6)
MAX_ATTEMPTS: Final = 8
_OK: Final = range(200, 300)


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts, of which none came through."""
    factor: int = 4 ** (attempts - 1)
    return min(_FIRST_PAUSE * factor, _LONGEST_PAUSE)


class BackchannelLogout:
    """Each is sent at least once; a client tells a repeated one by its session, which is over already."""

    def __init__(
        self, database: Database, keys: KeyService, queue: LogoutQueue, outbound: Outbound, clock: Clock = utc_now
    ) -> None:
        self._database = database
        self._keys = keys
        self._queue = queue
        self._outbound = outbound
        self._clock = clock

    async def deliver(self, tenant: Tenant) -> int:
        """Send what is due, until nothing is; how many came through."""
        delivered = 0
        while True:
            async with self._database.tenant_session(tenant) as session:
                batch = await self._queue.take(session, _BATCH, _LEASE)
            if not batch:
                return delivered
            failures = await asyncio.gather(*(self._send(tenant, delivery) for delivery in batch))
            delivered += failures.count(None)
            await self._note(tenant, list(zip(batch, failures, strict=True)))

    async def _send(self, tenant: Tenant, delivery: Delivery) -> str | None:
        """Why it did not come through; None where it did."""
        ring = await self._keys.ring_with(tenant, delivery.client.id_token_signed_response_alg)
        token = logout_token(
            tenant.issuer,
            delivery.client,
            subject=delivery.subject,
            session_id=str(delivery.session_id),
            signer_for=ring.signer,
            now=int(self._clock().timestamp()),
        )
        try:
            status = await self._outbound.post_form(delivery.uri, {"logout_token": token})
        except OutboundError as error:
            return str(error)
        return None if status in _OK else f"status {status}"

    async def _note(self, tenant: Tenant, sent: Sequence[tuple[Delivery, str | None]]) -> None:
        """One transaction."""
        async with self._database.tenant_session(tenant) as session:
            over = [delivery.id for delivery, failure in sent if failure is None or delivery.attempts >= MAX_ATTEMPTS]
            await self._queue.done(session, over)
            for delivery, failure in sent:
                if failure is None:
                    continue
                about = {"tenant": tenant.slug, "client": delivery.client.client_id, "reason": failure}
                if delivery.attempts >= MAX_ATTEMPTS:
                    log.warning("A logout token is given up", attempts=delivery.attempts, **about)
                    continue
                log.info("A logout token did not come through", attempts=delivery.attempts, **about)
                until = self._clock() + pause_after(delivery.attempts)
                await self._queue.put_off(session, delivery.id, until)
