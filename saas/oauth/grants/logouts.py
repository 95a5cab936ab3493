"""Which clients take part in a browser session, and the logout tokens that they are still to receive."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from redis.exceptions import RedisError
from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from saas.authserver.client import Client
from saas.authserver.scopes import OPENID
from saas.identity.hooks import EndedSession
from saas.kit.clock import Clock, utc_now
from saas.oauth.grants.models import LogoutDeliveryRow, SessionClientRow
from saas.oauth.models import ClientRow
from tenants.base import new_id
from tenants.changes import after_commit
from tenants.direct import Direct
from tenants.registry import Tenant
from tenants.statements import Statement

log = structlog.get_logger(__name__)

_participants: Final[Table] = SessionClientRow.metadata.tables[SessionClientRow.__tablename__]
_deliveries: Final[Table] = LogoutDeliveryRow.metadata.tables[LogoutDeliveryRow.__tablename__]
_clients: Final[Table] = ClientRow.metadata.tables[ClientRow.__tablename__]
_take_part: Final = Statement(upsert(_participants).on_conflict_do_nothing())
_listening: Final = _clients.c.backchannel_logout_uri.is_not(None) & _clients.c.revoked_at.is_(None)


async def take_part(direct: Direct, session_id: UUID, client: Client, scopes: Sequence[str]) -> None:
    """Note that the client knows of this session, if it wants to be told of its end.

    In the transaction that lets it in: a session that ends at the same moment yields no tokens any more.
    """
    if client.backchannel_logout_uri is not None and OPENID in scopes:
        await direct.row(_take_part, session_id=session_id, client=client.id)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A logout token to be sent; `attempts` counts this one."""

    id: UUID
    attempts: int
    subject: str
    session_id: UUID
    client: Client
    uri: str


class LogoutQueue:
    """Deliveries are rows; `tell` says to whoever sends them that a tenant has new ones, and may raise RedisError."""

    def __init__(self, tell: Callable[[UUID], Awaitable[None]], clock: Clock = utc_now) -> None:
        self._tell = tell
        self._clock = clock

    async def add(self, session: AsyncSession, tenant: Tenant, ended: Sequence[EndedSession]) -> None:
        """Fits `identity.hooks.SessionsHook`."""
        users = dict(ended)
        knowing = (
            select(_participants.c.session_id, _participants.c.client)
            .join(_clients, _clients.c.id == _participants.c.client)
            .where(_participants.c.session_id.in_(users), _listening)
        )
        now = self._clock()
        rows = [
            {
                "id": new_id(),
                "client": client,
                "subject": str(users[session_id]),
                "session_id": session_id,
                "attempts": 0,
                "next_attempt_at": now,
                "created_at": now,
                "updated_at": now,
            }
            for session_id, client in await session.execute(knowing)
        ]
        if not rows:
            return
        await session.execute(insert(_deliveries), rows)

        async def tell() -> None:
            try:
                await self._tell(tenant.id)
            except RedisError:
                log.warning("Logouts are queued, but are not sent before the next look", exc_info=True)

        after_commit(session, tell)

    async def take(self, session: AsyncSession, limit: int, lease: timedelta) -> list[Delivery]:
        """Deliveries that are due. Nobody else gets them before `lease` is over; then they are due again."""
        now = self._clock()
        due = (
            select(_deliveries.c.id)
            .where(_deliveries.c.next_attempt_at <= now)
            .order_by(_deliveries.c.next_attempt_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        taken = (
            update(_deliveries)
            .where(_deliveries.c.id.in_(due), _clients.c.id == _deliveries.c.client)
            .values(attempts=_deliveries.c.attempts + 1, next_attempt_at=now + lease, updated_at=now)
            .returning(
                *(_deliveries.c[name] for name in ("id", "attempts", "subject", "session_id")),
                *(_clients.c[name] for name in ("client_id", "id_token_signed_response_alg", "backchannel_logout_uri")),
            )
        )
        return [_delivery(*row) for row in await session.execute(taken)]

    async def done(self, session: AsyncSession, deliveries: Sequence[UUID]) -> None:
        """Delivered, or given up."""
        await session.execute(delete(_deliveries).where(_deliveries.c.id.in_(deliveries)))

    async def put_off(self, session: AsyncSession, delivery: UUID, until: datetime) -> None:
        later = {"next_attempt_at": until, "updated_at": self._clock()}
        await session.execute(update(_deliveries).where(_deliveries.c.id == delivery).values(later))


def _delivery(*row: Any) -> Delivery:
    delivery_id, attempts, subject, session_id, client_id, algorithm, uri = row
    client = Client(client_id, frozenset(), frozenset(), (), (), id_token_signed_response_alg=algorithm)
    return Delivery(delivery_id, attempts, subject, session_id, client, uri or "")
