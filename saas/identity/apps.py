"""What the account page shows of other people's applications. The authorization server, a layer above, knows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from tenants.registry import Tenant


@dataclass(frozen=True, slots=True)
class ConnectedApp:
    """`id` is the client id, `since` when it was first allowed, `scopes` what it may do, in words."""

    id: str
    name: str
    since: datetime
    scopes: Sequence[str]


class ConnectedApps(Protocol):
    """Found at `app.state.connected_apps`; transactions are the tenant's."""

    async def list(self, session: AsyncSession, user_id: UUID) -> Sequence[ConnectedApp]:
        """By name; a bounded number."""

    async def revoke(self, session: AsyncSession, tenant: Tenant, user_id: UUID, client_id: str) -> bool:
        """Take back what the user has allowed the client: consent and tokens. False where there was nothing."""

    async def name_at(self, tenant: Tenant, path: str) -> str | None:
        """What the app is called that `path`, an address of the authorization server with its query, leads to.

        `path` is a stranger's input: anything that is no known client's gives None.
        """
