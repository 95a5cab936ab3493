"""The applications that people have let in: of one person, as the account page shows them (`identity.apps`), and of all
of them, for administrators.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from saas.access.scopes import ScopeCatalogue
from saas.audit.service import Target, record
from saas.authserver.destination import Parameters, Undeliverable
from saas.identity.apps import ConnectedApp
from saas.kit.clock import utc_now
from saas.oauth.clients import ClientService
from saas.oauth.grants.connections import Connected, connections
from saas.oauth.grants.consents import connections_of
from saas.oauth.grants.endings import Endings
from saas.web.paging import decode_cursor, encode_cursor, parse_instant
from tenants.registry import Tenant

_SORT: Final = "-since"


class ConnectedPage(NamedTuple):
    """`next_cursor` is None on the last page."""

    items: list[Connected]
    next_cursor: str | None


class ConnectedAppService:
    def __init__(self, clients: ClientService, catalogue: ScopeCatalogue, endings: Endings) -> None:
        self._clients = clients
        self._words = {scope.name: scope.description for scope in catalogue}
        self._endings = endings

    async def list(self, session: AsyncSession, user_id: UUID) -> Sequence[ConnectedApp]:
        apps: dict[str, ConnectedApp] = {}
        for client_id, name, since, scopes in await connections_of(session, user_id, utc_now()):
            known = apps.get(client_id)
            words = [self._words[scope] for scope in scopes if scope in self._words]
            both = dict.fromkeys([*(known.scopes if known else ()), *words])
            apps[client_id] = ConnectedApp(client_id, name, known.since if known else since, tuple(both))
        return sorted(apps.values(), key=lambda app: (app.name.casefold(), app.id))

    async def across(
        self,
        session: AsyncSession,
        *,
        limit: int,
        cursor: str | None = None,
        client_id: str | None = None,
        person: str | None = None,
    ) -> ConnectedPage:
        """Of all people, the newest first; of one client, or of those in whose name or address `person` is.

        Raises InvalidRequest at a bad cursor.
        """
        after = None
        if cursor is not None:
            (since, client), user = decode_cursor(cursor, _SORT, _place)
            after = (since, user, client)
        found = await connections(session, utc_now(), limit=limit + 1, after=after, client_id=client_id, person=person)
        items = found[:limit]
        if len(found) <= limit:
            return ConnectedPage(items, None)
        last = items[-1]
        return ConnectedPage(items, encode_cursor(_SORT, f"{last.since.isoformat()} {last.client}", last.user_id))

    async def revoke(self, session: AsyncSession, tenant: Tenant, user_id: UUID, client_id: str) -> bool:
        client = await self._clients.find(tenant, client_id)
        if client is None or not await self._endings.disconnect(session, tenant, user_id, client.id):
            return False
        target = Target("client", client.client_id, client.name)
        record(session, "consent.revoked", target=target, details={"user": user_id})
        return True

    async def name_at(self, tenant: Tenant, path: str) -> str | None:
        try:
            client_id = Parameters.of(urlsplit(path).query).get("client_id")
        except (Undeliverable, ValueError):
            return None
        client = await self._clients.find(tenant, client_id or "")
        return None if client is None else client.name


def _place(value: str) -> tuple[datetime, UUID]:
    """Raises ValueError."""
    since, _, client = value.partition(" ")
    return parse_instant(since), UUID(client)
