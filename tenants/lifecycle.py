"""A tenant's name and its end: rename, delete, restore. Each is a change of its row; nothing here touches a schema."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy import delete as delete_rows
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.base import utc_now
from tenants.changes import mark_changed
from tenants.database import Database
from tenants.errors import TenantExists, TenantNotFound, TenantNotReady
from tenants.hosts import HOSTS_LOCK, check_free, check_own
from tenants.migrate.runner import lock, migrate_tenant
from tenants.models import FormerHostRow, TenantRow
from tenants.names import check_slug, check_text
from tenants.registry import Registry, Tenant


async def rename(
    session: AsyncSession,
    registry: Registry,
    slug: str,
    new_slug: str,
    *,
    name: str | None = None,
    redirect_for: timedelta,
) -> Tenant:
    """Give the tenant another slug, and with it another host and issuer; the former ones lead there for a while.

    Nobody else gets the former slug and host meanwhile; the tenant itself may go back. Raises TenantNotFound,
    TenantNotReady, TenantExists, HostTaken and InvalidName.
    """
    host = registry.origin.host_of(check_slug(new_slug))
    check_own(registry, host)
    await lock(session, HOSTS_LOCK)
    row = await registry.changeable(session, slug)
    if name is not None:
        row.name = check_text(name, "name")
    if new_slug != slug:
        if await session.scalar(select(TenantRow.id).where(TenantRow.slug == new_slug)) is not None:
            raise TenantExists(f"There is a tenant {new_slug} already: choose another slug")
        await check_free(session, row.id, [host], slug=new_slug)
        await _leave(session, row, host, redirect_for)
        row.slug, row.host = new_slug, host
    mark_changed(session, row.id)
    await session.flush()
    return await registry.get(session, new_slug)


async def forget_former_hosts(session: AsyncSession) -> int:
    """Delete the former hosts whose time is over; from then on anybody may have them."""
    gone = await session.scalars(
        delete_rows(FormerHostRow).where(FormerHostRow.until <= utc_now()).returning(FormerHostRow.tenant_id)
    )
    tenants = gone.all()
    for tenant_id in tenants:
        mark_changed(session, tenant_id)
    return len(tenants)


async def delete(session: AsyncSession, registry: Registry, slug: str, *, grace: timedelta) -> Tenant:
    """Serve the tenant no more; until `grace` is over it can be restored. Deleting it again sets the time anew.

    One that was never finished has nothing to keep: its status is `deleting` at once, for `provisioning.delete`.
    Raises TenantNotFound, and TenantNotReady while it is being moved.
    """
    tenant = await registry.get(session, slug)
    row = await _locked(session, tenant.id)
    if row.status == "moving":
        raise TenantNotReady(f"{slug} is being moved to another database: try again when it is there")
    if row.status == "provisioning":
        row.status = "deleting"
    if row.status != "deleting":
        now = utc_now()
        if row.status != "deleted":
            row.status, row.deleted_at = "deleted", now
        row.purge_at = now + grace
    mark_changed(session, row.id)
    await session.flush()
    return await registry.get(session, slug)


async def restore(
    database: Database,
    registry: Registry,
    slug: str,
    *,
    told: Callable[[AsyncSession, Tenant], None] | None = None,
) -> Tenant:
    """Serve a deleted tenant again, or keep refusing with the reason for which it was suspended.

    Its schema catches up first with the revisions that came meanwhile. A tenant that is not deleted is left as it is.
    `told` is called in the transaction that restores it, with a session of the tenant's.
    Raises TenantNotFound, TenantNotReady where its purge has begun, SchemaBusy and InvalidRevision.
    """
    async with database.platform_session() as session:
        tenant = await registry.get(session, slug)
    if tenant.status == "deleting":
        raise TenantNotReady(f"The purge of {slug} has begun: there is nothing left to restore")
    if tenant.status != "deleted":
        return tenant
    await migrate_tenant(database, tenant)
    async with database.registry_and_schema(tenant) as (session, schema):
        restored = await session.scalar(
            update(TenantRow)
            .where(TenantRow.id == tenant.id, TenantRow.status == "deleted")
            .values(status="active" if tenant.suspended_reason is None else "suspended", deleted_at=None, purge_at=None)
            .returning(TenantRow.id)
        )
        if restored is None:
            raise TenantNotReady(f"{slug} was changed meanwhile: see `saas tenants show {slug}`")
        mark_changed(session, tenant.id)
        if told is not None:
            told(schema, tenant)
        return await registry.get(session, slug)


async def due(session: AsyncSession) -> list[UUID]:
    """The tenants that are to be purged now, and those whose purge was stopped on the way."""
    return list(await session.scalars(select(TenantRow.id).where(_is_due())))


async def purge_if_due(database: Database, tenant_id: UUID, purge: Callable[[str, UUID], Awaitable[object]]) -> bool:
    """Let `purge(slug, tenant_id)` take the tenant away, unless it was restored meanwhile, or is gone."""
    async with database.platform_session() as session:
        slug = await session.scalar(
            update(TenantRow)
            .where(TenantRow.id == tenant_id, _is_due())
            .values(status="deleting")
            .returning(TenantRow.slug)
        )
        if slug is None:
            return False
        mark_changed(session, tenant_id)
    with suppress(TenantNotFound):  # another worker was faster
        await purge(slug, tenant_id)
    return True


def _is_due() -> ColumnElement[bool]:
    over = (TenantRow.status == "deleted") & (TenantRow.purge_at <= utc_now())
    return or_(over, TenantRow.status == "deleting")


async def _leave(session: AsyncSession, row: TenantRow, new_host: str, redirect_for: timedelta) -> None:
    """Note where the tenant was, and that it is not a former one where it goes. What is over makes room."""
    await session.execute(
        delete_rows(FormerHostRow).where(
            FormerHostRow.host.in_((row.host, new_host)) | (FormerHostRow.slug == row.slug),
        )
    )
    if redirect_for > timedelta(0):
        former = FormerHostRow(host=row.host, slug=row.slug, tenant_id=row.id, until=utc_now() + redirect_for)
        session.add(former)


async def _locked(session: AsyncSession, tenant_id: UUID) -> TenantRow:
    row = await session.get(TenantRow, tenant_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise TenantNotFound("The tenant is gone: `saas tenants list` shows those that exist")
    return row
