"""Which hosts are free. Primary hosts, custom domains and former hosts share one space, which no constraint can say."""

from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.base import utc_now
from tenants.errors import HostTaken
from tenants.models import DomainRow, FormerHostRow, TenantRow
from tenants.names import RESERVED_SLUGS
from tenants.registry import Registry

#: Held (see `tenants.migrate.runner.lock`) from the check on by whoever takes a host.
HOSTS_LOCK: Final = "the hosts of tenants"


async def check_free(session: AsyncSession, tenant_id: UUID, hosts: list[str], *, slug: str | None = None) -> None:
    """Raise HostTaken where another tenant is, or lately was, reached at one of the hosts or named by the slug.

    What somebody merely claims, without proof, takes nothing. The caller holds HOSTS_LOCK.
    """
    primary = select(TenantRow.host).where(TenantRow.host.in_(hosts), TenantRow.id != tenant_id)
    custom = select(DomainRow.host).where(DomainRow.host.in_(hosts), DomainRow.tenant_id != tenant_id)
    taken = await session.scalar(primary.union(custom).limit(1))
    if taken is not None:
        raise HostTaken(f"Another tenant is reached at {taken}: choose another slug or domain")
    former = await session.scalar(
        select(FormerHostRow)
        .where(FormerHostRow.host.in_(hosts) | (FormerHostRow.slug == slug))
        .where(FormerHostRow.tenant_id != tenant_id, FormerHostRow.until > utc_now())
        .limit(1)
    )
    if former is not None:
        raise HostTaken(
            f"{former.host} leads to a tenant that was renamed, until {former.until:%Y-%m-%d %H:%M} UTC: "
            "choose another slug or domain"
        )


def check_own(registry: Registry, host: str) -> str:
    """Return `host`; raise HostTaken for what is, or may become, a host of the platform itself."""
    label, _, parent = host.partition(".")
    if host in registry.reserved_hosts or (parent == registry.origin.base_domain and label in RESERVED_SLUGS):
        raise HostTaken(f"{host} belongs to the platform: choose another slug or domain")
    return host
