"""A tenant's apps in numbers, and the names of some of them."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from saas.oauth.models import ClientRow, ClientSecretRow

#: The age at which a secret that never ends had better be replaced.
OLD: Final = timedelta(days=365)


class AppsOverview(NamedTuple):
    """Of apps that are not revoked."""

    #: How many have an old secret beside the new one, and when the first of those ends.
    overlapping: int
    first_end: datetime | None
    #: How many have a secret that is old, and the name of one.
    old: int
    one_old: str | None


async def apps_overview(session: AsyncSession, now: datetime) -> AppsOverview:
    """One SELECT."""
    ending = ClientSecretRow.expires_at > now
    old = ClientSecretRow.expires_at.is_(None) & (ClientSecretRow.created_at < now - OLD)
    query = (
        select(
            func.count(ClientSecretRow.client.distinct()).filter(ending),
            func.min(ClientSecretRow.expires_at).filter(ending),
            func.count(ClientSecretRow.client.distinct()).filter(old),
            func.min(ClientRow.name).filter(old),
        )
        .join(ClientRow, ClientRow.id == ClientSecretRow.client)
        .where(ClientRow.revoked_at.is_(None))
    )
    return AppsOverview(*(await session.execute(query)).one())


async def names_of(session: AsyncSession, client_ids: Collection[str]) -> dict[str, str]:
    """By client id, for those that there are; revoked ones, too."""
    rows = await session.execute(select(ClientRow.client_id, ClientRow.name).where(ClientRow.client_id.in_(client_ids)))
    return {client_id: name for client_id, name in rows}  # noqa: C416 - a Row is no tuple to mypy
