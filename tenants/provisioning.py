"""Make a tenant and take it away. Each step can be repeated, so that what was killed on the way can be finished."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from sqlalchemy import delete as delete_rows
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.base import new_id
from tenants.changes import mark_changed
from tenants.database import Database
from tenants.engine import quote_identifier
from tenants.errors import TenantExists, TenantNotFound, TenantNotReady
from tenants.hosts import HOSTS_LOCK, check_free, check_own
from tenants.migrate.render import TENANT
from tenants.migrate.runner import execute_script, lock, migrate_tenant
from tenants.models import DomainRow, TenantRow, TransferRow
from tenants.names import check_domain, check_slug, check_text, schema_name
from tenants.placement import place
from tenants.plan_versions import find_plan
from tenants.plans import check_cap, require_feature
from tenants.registry import Registry, Tenant
from tenants.warm import take


async def create_row(
    database: Database,
    registry: Registry,
    *,
    slug: str,
    name: str,
    plan: str,
    domain: str | None = None,
    on: str | None = None,
) -> Tenant:
    """Step one: register the tenant, so that its names are taken. Nobody is served yet.

    `on` is the name of its database; None: where there is room (see `place`). A tenant that is still being provisioned
    takes the given name, plan and domain, and stays where it is. Raises TenantExists where it has got further,
    TenantNotReady where it is deleted or being so, HostTaken, InvalidName, PlanNotFound, DatabaseNotFound,
    NoDatabaseOpen, and FeatureNotInPlan and CapReached for a domain that the plan does not allow.
    """
    if on is not None:
        database.engine_of(on)
    host = registry.origin.host_of(check_slug(slug))
    domains = [] if domain is None else [check_own(registry, check_domain(domain))]
    check_own(registry, host)
    async with database.platform_session() as session:
        await lock(session, HOSTS_LOCK)
        allowed = await find_plan(session, plan)
        if domains:
            require_feature(allowed, "custom-domains")
            check_cap(allowed, "domains", 0)
        row = await _unfinished_row(session, slug)
        if row is None:
            row = await _new_row(session, slug, on or await place(session, database.weights))
            session.add(row)
        row.name, row.plan, row.host = check_text(name, "name"), plan, host
        await check_free(session, row.id, [host, *domains], slug=slug)
        await session.flush()
        await session.execute(delete_rows(DomainRow).where(DomainRow.tenant_id == row.id))
        session.add_all(DomainRow(host=taken, tenant_id=row.id) for taken in domains)
        await session.flush()
        mark_changed(session, row.id)
        return await registry.get(session, slug)


async def ensure_schema(database: Database, tenant: Tenant) -> None:
    """Step two: the tenant's schema with every table, unless it came ready from the pool.

    Raises SchemaBusy and TenantNotFound (see `migrate_tenant`).
    """
    if tenant.revision != TENANT.head:
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


async def delete(
    database: Database, slug: str, *, purge: Callable[[UUID], Awaitable[None]], only: UUID | None = None
) -> UUID:
    """Remove the tenant and everything that it has; returns its id.

    From the first commit on nobody is served. `purge(tenant_id)` takes away what lies outside the database, before the
    row that tells of the tenant goes. Raises TenantNotFound, and SchemaBusy while transactions use the schema: in that
    case, and when it was killed, run it again. `only`: whose slug it must be still; another tenant is not found.
    """
    async with database.platform_session() as session:
        row = await session.scalar(select(TenantRow).where(TenantRow.slug == slug).with_for_update())
        if row is None or only not in {None, row.id}:
            raise TenantNotFound(f"There is no tenant {slug!r}: `saas tenants list` shows those that exist")
        row.status = "deleting"
        mark_changed(session, row.id)
    async with database.tenant_session(row) as session:
        await lock(session, row.schema)
        await execute_script(session, f"DROP SCHEMA IF EXISTS {quote_identifier(row.schema)} CASCADE")
    await purge(row.id)
    async with database.platform_session() as session:
        await session.execute(delete_rows(TenantRow).where(TenantRow.id == row.id))
        mark_changed(session, row.id)
    return row.id


async def _new_row(session: AsyncSession, slug: str, name: str) -> TenantRow:
    """With a schema of the pool of the database `name`, or without one yet. The row says which: by its revision."""
    pooled = await take(session, name)
    if pooled is None:
        identity = new_id()
        schema, revision = schema_name(identity), None
    else:
        identity, schema, revision = pooled.id, pooled.schema, TENANT.head
    return TenantRow(id=identity, schema=schema, revision=revision, database=name, slug=slug, status="provisioning")


async def _unfinished_row(session: AsyncSession, slug: str) -> TenantRow | None:
    row = await session.scalar(select(TenantRow).where(TenantRow.slug == slug).with_for_update())
    if row is None or row.status == "provisioning":
        if row is not None and await session.scalar(select(TransferRow.id).where(TransferRow.tenant_id == row.id)):
            raise TenantNotReady(
                f"The import of {slug} was stopped on the way: finish with `saas tenants import`, or undo it with "
                f"`saas tenants delete {slug}`"
            )
        return row
    if row.status == "deleted":
        raise TenantNotReady(
            f"{slug} is deleted, and kept for a while: `saas tenants restore {slug}` brings it back, "
            f"`saas tenants delete {slug} --now` makes room for another"
        )
    if row.status == "deleting":
        raise TenantNotReady(f"{slug} is being deleted: finish with `saas tenants delete {slug}`, then create it")
    raise TenantExists(f"{slug} exists already, and was left as it is: see `saas tenants show {slug}`")
