"""Changes of a tenant's row in the registry, told in the tenant's own log."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from saas.audit.service import Target, record
from tenants import domains
from tenants.database import Database
from tenants.domains import Domain
from tenants.registry import Registry, Tenant
from tenants.transfer.journal import Move
from tenants.transfer.manifest import Manifest

T = TypeVar("T")
#: Their schema may be missing, or about to go.
_WITHOUT_LOG = frozenset({"provisioning", "deleting"})


async def change_tenant(
    database: Database,
    tenant: Tenant,
    action: str,
    change: Callable[[AsyncSession], Awaitable[T]],
    **details: Any,
) -> T:
    """`change(session)` with a session of the registry, and an event where it changed something; what it returns.

    One transaction where registry and schema share a database. Elsewhere the event is committed first: stopped in
    between, it tells of what was tried, and tells of it again when it is. A change that returns the tenant as it was
    is none. A tenant that has no schema yet, or none soon, has nowhere to tell it.
    """
    if tenant.status in _WITHOUT_LOG:
        async with database.platform_session() as session:
            return await change(session)
    async with database.registry_and_schema(tenant) as (registry, schema):
        done = await change(registry)
        if done != tenant:
            record(schema, action, target=Target("tenant", tenant.id, tenant.slug), details=details)
        return done


async def claim_domain(database: Database, registry: Registry, tenant: Tenant, host: str) -> tuple[Domain, bool]:
    """Claim a host for a tenant; whether it is new. One that is there already stays as it is, and is no event.

    Raises what `tenants.domains.add_domain` does, and TenantNotReady.
    """
    async with database.registry_and_schema(tenant) as (session, schema):
        await registry.changeable(session, tenant.slug)  # locked: what is new stays so until the commit
        known = {domain.host for domain in await domains.list_domains(session, tenant)}
        domain = await domains.add_domain(session, registry, tenant, host)
        new = domain.host not in known
        if new:
            record(schema, "domain.added", target=Target("domain", domain.host, domain.host))
        return domain, new


def tell_restored(session: AsyncSession, tenant: Tenant) -> None:
    """For `tenants.lifecycle.restore`."""
    record(session, "tenant.restored", target=Target("tenant", tenant.id, tenant.slug))


def tell_verified(session: AsyncSession, host: str) -> None:
    """For `tenants.domains.verify_domain`."""
    record(session, "domain.verified", target=Target("domain", host, host))


def tell_moved(session: AsyncSession, move: Move) -> None:
    """For `tenants.transfer.moving`."""
    target = Target("tenant", move.tenant_id, move.slug)
    record(session, "tenant.moved", target=target, details={"from": move.source, "to": move.target})


def tell_imported(session: AsyncSession, tenant: Tenant, manifest: Manifest) -> None:
    """For `tenants.transfer.importing`."""
    details = {"from": manifest.tenant.issuer, "exported_at": manifest.exported_at.isoformat(), "rows": manifest.rows}
    record(session, "tenant.imported", target=Target("tenant", tenant.id, tenant.slug), details=details)


async def tell_exported(database: Database, tenant: Tenant, rows: int) -> None:
    """In a transaction of its own, once the archive is whole."""
    async with database.tenant_session(tenant) as session:
        record(session, "tenant.exported", target=Target("tenant", tenant.id, tenant.slug), details={"rows": rows})
