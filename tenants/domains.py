"""Custom domains. A tenant claims a host, proves by a TXT record that it is its own, and is reached there from then on.

A claim takes nothing: the host resolves to nobody, and any other tenant may claim it and prove that it is theirs.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.base import utc_now
from tenants.changes import mark_changed
from tenants.database import Database
from tenants.errors import DomainNotFound, DomainNotProved, HostTaken, TooManyDomains
from tenants.hosts import HOSTS_LOCK, check_free, check_own
from tenants.migrate.runner import lock
from tenants.models import DomainClaimRow, DomainRow, TenantRow
from tenants.names import check_domain, normalize_host
from tenants.plans import check_cap, require_feature
from tenants.registry import Registry, Tenant
from tenants.txt import TxtResolver

#: Claims of a tenant that wait for their proof.
MAX_CLAIMS: Final = 20
#: How long the worker looks for the proof by itself.
RETRIED_FOR: Final = timedelta(days=14)
_PREFIX: Final = "saas-verification="


@dataclass(frozen=True, slots=True)
class Domain:
    """A host of a tenant. While `verified_at` is None, it waits for a TXT record at `record` that says `value`."""

    host: str
    verified_at: datetime | None
    record: str | None = None
    value: str | None = None
    checked_at: datetime | None = None


async def add_domain(session: AsyncSession, registry: Registry, tenant: Tenant, host: str) -> Domain:
    """Claim a host; what was claimed or proved already is returned as it is.

    Raises InvalidName, TooManyDomains, HostTaken for a host of the platform or one that another tenant has proved, and
    FeatureNotInPlan and CapReached: claims count as domains do.
    """
    canonical = check_own(registry, check_domain(host))
    if canonical.endswith(f".{registry.origin.base_domain}"):
        raise HostTaken(f"{canonical} belongs to the platform: choose a domain of your own")
    await session.execute(select(TenantRow.id).where(TenantRow.id == tenant.id).with_for_update())
    known = {domain.host: domain for domain in await list_domains(session, tenant)}
    if canonical in known:
        return known[canonical]
    require_feature(tenant.plan, "custom-domains")
    check_cap(tenant.plan, "domains", len(known))  # true until the commit: the tenant's row is locked
    await check_free(session, tenant.id, [canonical])
    if sum(domain.verified_at is None for domain in known.values()) >= MAX_CLAIMS:
        raise TooManyDomains(f"{MAX_CLAIMS} domains wait for their proof: remove those that are not needed")
    claim = DomainClaimRow(tenant_id=tenant.id, host=canonical, token=secrets.token_urlsafe(32), checked_at=None)
    session.add(claim)
    await session.flush()
    return _claimed(claim)


async def list_domains(session: AsyncSession, tenant: Tenant) -> list[Domain]:
    """Those that lead to the tenant, then those that wait for their proof, each by host."""
    proved = await session.scalars(select(DomainRow).where(DomainRow.tenant_id == tenant.id).order_by(DomainRow.host))
    claims = select(DomainClaimRow).where(DomainClaimRow.tenant_id == tenant.id).order_by(DomainClaimRow.host)
    return [
        *(Domain(row.host, verified_at=row.created_at) for row in proved),
        *map(_claimed, await session.scalars(claims)),
    ]


async def verify_domain(
    database: Database,
    tenant: Tenant,
    host: str,
    resolver: TxtResolver,
    *,
    told: Callable[[AsyncSession, str], None] | None = None,
) -> Domain:
    """Look for the proof; where it is there, the host leads to the tenant from now on, within a second.

    No transaction is open while name servers are asked. `told` is called with a session of the tenant's and the host,
    in the transaction in which the host becomes the tenant's. Raises DomainNotFound, DomainNotProved,
    NameServersSilent, and HostTaken where another tenant has proved the host before.
    """
    canonical = normalize_host(host)
    async with database.platform_session() as session:
        known = {domain.host: domain for domain in await list_domains(session, tenant)}
        # Whatever comes of it, others are looked at before it is this one's turn again.
        await session.execute(update(DomainClaimRow).where(_is(tenant.id, canonical)).values(checked_at=utc_now()))
    domain = known.get(canonical)
    if domain is None:
        raise DomainNotFound(f"{tenant.slug} has no domain {canonical}: add it first")
    if domain.verified_at is not None or domain.record is None:
        return domain
    found = await resolver.txt(domain.record)
    if domain.value in found:
        async with database.registry_and_schema(tenant) as (session, schema):
            proved, new = await _prove(session, tenant.id, domain)
            if new and told is not None:
                told(schema, proved.host)
            return proved
    instead = found[0][:100] if found else None
    says = "there is none" if instead is None else f"it says {instead!r}"
    raise DomainNotProved(
        f'{canonical} is not proved: the TXT record {domain.record} has to say "{domain.value}", but {says}. '
        "A new record may take an hour to be seen",
        found=instead,
    )


async def remove_domain(session: AsyncSession, tenant: Tenant, host: str) -> None:
    """The host leads to the tenant no more, and may be another's. Raises DomainNotFound."""
    removed: list[str] = []
    for row in (DomainRow, DomainClaimRow):
        mine = delete(row).where(row.tenant_id == tenant.id, row.host == normalize_host(host))
        removed += await session.scalars(mine.returning(row.host))
    if not removed:
        raise DomainNotFound(f"{tenant.slug} has no domain {host}")
    mark_changed(session, tenant.id)


async def waiting(session: AsyncSession, *, checked_before: datetime, most: int) -> list[tuple[str, str]]:
    """Slug and host of claims that are young enough to look again, the longest unchecked first."""
    rows = await session.execute(
        select(TenantRow.slug, DomainClaimRow.host)
        .join(TenantRow, TenantRow.id == DomainClaimRow.tenant_id)
        .where(
            TenantRow.status == "active",
            DomainClaimRow.created_at > utc_now() - RETRIED_FOR,
            or_(DomainClaimRow.checked_at.is_(None), DomainClaimRow.checked_at < checked_before),
        )
        .order_by(func.coalesce(DomainClaimRow.checked_at, DomainClaimRow.created_at))
        .limit(most)
    )
    return [(slug, host) for slug, host in rows]


async def _prove(session: AsyncSession, tenant_id: UUID, domain: Domain) -> tuple[Domain, bool]:
    """Turn the claim into a host of the tenant's, unless either went away while the name servers were asked.

    The second is false where somebody else has done so meanwhile.
    """
    await lock(session, HOSTS_LOCK)
    await check_free(session, tenant_id, [domain.host])
    claim = delete(DomainClaimRow).where(_is(tenant_id, domain.host)).returning(DomainClaimRow.host)
    if await session.scalar(claim) is None:
        proved = await session.get(DomainRow, domain.host)
        if proved is None:
            raise DomainNotFound(f"{domain.host} was removed meanwhile: add it again")
        return Domain(domain.host, verified_at=proved.created_at), False
    row = DomainRow(host=domain.host, tenant_id=tenant_id, created_at=utc_now())
    session.add(row)
    mark_changed(session, tenant_id)
    return Domain(domain.host, verified_at=row.created_at), True


def _is(tenant_id: UUID, host: str) -> ColumnElement[bool]:
    return (DomainClaimRow.tenant_id == tenant_id) & (DomainClaimRow.host == host)


def _claimed(row: DomainClaimRow) -> Domain:
    return Domain(row.host, None, f"_saas-challenge.{row.host}", _PREFIX + row.token, row.checked_at)
