"""Make a tenant and take it away. Each step can be repeated, so that what was killed on the way can be finished."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from sqlalchemy import delete as delete_rows
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.base import new_id
from tenants.changes import mark_changed
from tenants.database import Database, quote_identifier
from tenants.errors import HostTaken, InvalidName, TenantExists, TenantNotFound, TenantNotReady
from tenants.migrate.runner import execute_script, lock, migrate_tenant
from tenants.models import DomainRow, TenantRow
from tenants.names import RESERVED_SLUGS, check_domain, check_slug, schema_name
from tenants.registry import Registry, Tenant, find_plan

_MAX_NAME: Final = 200
#: Hosts are unique over two tables, primary hosts and custom domains, which no constraint can say.
_HOSTS_LOCK: Final = "the hosts of tenants"


async def create_row(
    database: Database, registry: Registry, *, slug: str, name: str, plan: str, domain: str | None = None
) -> Tenant:
    """Step one: register the tenant, so that its names are taken. Nobody is served yet.

    A tenant that is still being provisioned takes the given name, plan and domain. Raises TenantExists where it has
    got further, TenantNotReady where it is being deleted, HostTaken, InvalidName and PlanNotFound.
    """
    host = registry.origin.host_of(check_slug(slug))
    domains = [] if domain is None else [_check_own(registry, check_domain(domain))]
    _check_own(registry, host)
    async with database.platform_session() as session:
        await lock(session, _HOSTS_LOCK)
        await find_plan(session, plan)
        row = await _unfinished_row(session, slug)
        if row is None:
            tenant_id = new_id()
            row = TenantRow(id=tenant_id, slug=slug, schema=schema_name(tenant_id), status="provisioning")
            session.add(row)
        row.name, row.plan, row.host = _check_name(name), plan, host
        await _check_free(session, row.id, [host, *domains])
        await session.flush()
        await session.execute(delete_rows(DomainRow).where(DomainRow.tenant_id == row.id))
        session.add_all(DomainRow(host=taken, tenant_id=row.id) for taken in domains)
        await session.flush()
        mark_changed(session, row.id)
        return await registry.get(session, slug)


async def ensure_schema(database: Database, tenant: Tenant) -> None:
    """Step two: the tenant's schema with every table. Raises SchemaBusy and TenantNotFound (see `migrate_tenant`)."""
    await migrate_tenant(database, tenant)


async def activate(session: AsyncSession, tenant: Tenant) -> bool:
    """The last step, at this transaction's commit: serve the tenant.

    False where it is not being provisioned any more. Of several transactions that do this at once, one gets True.
    """
    activated = await session.scalar(
        update(TenantRow)
        .where(TenantRow.id == tenant.id, TenantRow.status == "provisioning")
        .values(status="active")
        .returning(TenantRow.id)
    )
    if activated is not None:
        mark_changed(session, tenant.id)
    return activated is not None


async def delete(database: Database, slug: str, *, purge: Callable[[UUID], Awaitable[None]]) -> UUID:
    """Remove the tenant and everything that it has; returns its id.

    From the first commit on nobody is served. `purge(tenant_id)` takes away what lies outside the database, before the
    row that tells of the tenant goes. Raises TenantNotFound, and SchemaBusy while transactions use the schema: in that
    case, and when it was killed, run it again.
    """
    async with database.platform_session() as session:
        row = await session.scalar(select(TenantRow).where(TenantRow.slug == slug).with_for_update())
        if row is None:
            raise TenantNotFound(f"There is no tenant {slug!r}: `saas tenants list` shows those that exist")
        row.status = "deleting"
        mark_changed(session, row.id)
    async with database.platform_session() as session:
        await lock(session, row.schema)
        await execute_script(session, f"DROP SCHEMA IF EXISTS {quote_identifier(row.schema)} CASCADE")
    await purge(row.id)
    async with database.platform_session() as session:
        await session.execute(delete_rows(TenantRow).where(TenantRow.id == row.id))
        mark_changed(session, row.id)
    return row.id


async def _unfinished_row(session: AsyncSession, slug: str) -> TenantRow | None:
    row = await session.scalar(select(TenantRow).where(TenantRow.slug == slug).with_for_update())
    if row is None or row.status == "provisioning":
        return row
    if row.status == "deleting":
        raise TenantNotReady(f"{slug} is being deleted: finish with `saas tenants delete {slug}`, then create it")
    raise TenantExists(f"{slug} exists already, and was left as it is: see `saas tenants show {slug}`")


async def _check_free(session: AsyncSession, tenant_id: UUID, hosts: list[str]) -> None:
    primary = select(TenantRow.host).where(TenantRow.host.in_(hosts), TenantRow.id != tenant_id)
    custom = select(DomainRow.host).where(DomainRow.host.in_(hosts), DomainRow.tenant_id != tenant_id)
    taken = await session.scalar(primary.union(custom).limit(1))
    if taken is not None:
        raise HostTaken(f"Another tenant is reached at {taken}: choose another slug or domain")


def _check_own(registry: Registry, host: str) -> str:
    """Refuse what is, or may become, a host of the platform itself."""
    label, _, parent = host.partition(".")
    if host in registry.reserved_hosts or (parent == registry.origin.base_domain and label in RESERVED_SLUGS):
        raise HostTaken(f"{host} belongs to the platform: choose another slug or domain")
    return host


def _check_name(name: str) -> str:
    if not name.strip() or len(name) > _MAX_NAME or not name.isprintable():
        raise InvalidName(f"A tenant's name is 1 to {_MAX_NAME} printable characters")
    return name.strip()
