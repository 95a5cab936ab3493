"""A tenant's entry in the registry: as an archive has it, and as it is made anew of that."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.base import new_id, utc_now
from tenants.branding import set_accent
from tenants.changes import mark_changed
from tenants.domains import MAX_CLAIMS, add_domain
from tenants.errors import PlanNotFound, TenancyError, TenantExists, TransferRefused
from tenants.hosts import HOSTS_LOCK, check_free, check_own
from tenants.migrate.runner import lock
from tenants.models import DomainClaimRow, TenantRow, TransferRow
from tenants.names import check_slug, check_text, schema_name
from tenants.overrides import in_force
from tenants.placement import place
from tenants.plan_changes import as_values, changed
from tenants.plan_versions import find_plan
from tenants.registry import Registry, Tenant
from tenants.transfer.manifest import PlanEntry, TenantEntry


async def describe(session: AsyncSession, tenant: Tenant) -> TenantEntry:
    """In a transaction on the registry."""
    row = await session.get_one(TenantRow, tenant.id)
    plan = await find_plan(session, row.plan, row.plan_version)
    limits = {name: value for name, value in as_values(plan).items() if name not in {"name", "version"}}
    overrides = {each.field: (each.value, each.until and each.until.isoformat()) for each in _overrides(row.overrides)}
    return TenantEntry(
        id=tenant.id,
        slug=tenant.slug,
        name=tenant.name,
        issuer=tenant.issuer,
        status=tenant.status,
        suspended_reason=tenant.suspended_reason,
        plan=PlanEntry(name=plan.name, version=plan.version, pinned=tenant.plan_pinned, limits=limits),
        overrides=overrides,
        accent=tenant.accent,
        domains=tenant.domains,
        created_at=tenant.created_at,
    )


async def admit(
    session: AsyncSession,
    registry: Registry,
    entry: TenantEntry,
    *,
    slug: str,
    plan: str | None,
    on: str | None,
    weights: Mapping[str, int],
) -> tuple[Tenant, list[str]]:
    """Register the tenant of an archive, with an id of its own; nobody is served yet. And what is not as it was.

    One that an earlier import has left unfinished is taken up. Raises TenantExists, HostTaken, InvalidName,
    TransferRefused, InvalidPlan and NoDatabaseOpen.
    """
    host = check_own(registry, registry.origin.host_of(check_slug(slug)))
    await lock(session, HOSTS_LOCK)
    named, version, notes = await _plan(session, entry.plan, plan)
    chosen = await find_plan(session, named, version)
    row = await _row(session, slug, on, weights)
    row.name, row.host, row.suspended_reason = check_text(entry.name, "name"), host, entry.suspended_reason
    row.plan, row.plan_version = named, version
    overrides = _overrides(entry.overrides)
    changed(chosen, {each.field: each.value for each in overrides})
    session.add(row)
    row.overrides = {each.field: (each.value, each.until and each.until.isoformat()) for each in overrides} or None
    await check_free(session, row.id, [host], slug=slug)
    await session.flush()
    tenant = await registry.get(session, slug)
    await set_accent(session, tenant, entry.accent)
    if tenant.issuer != entry.issuer:
        notes.append(
            f"The issuer is {tenant.issuer} now, and was {entry.issuer}: apps have to be told, people sign in "
            "anew, and passkeys, which belong to a host, have to be made anew"
        )
    notes += await _claim(session, registry, tenant, entry.domains)
    mark_changed(session, tenant.id)
    return tenant, notes


async def unfinished(session: AsyncSession, tenant_id: UUID) -> TransferRow | None:
    """The transfer of the tenant that is under way, or was stopped there."""
    query = select(TransferRow).where(TransferRow.tenant_id == tenant_id, TransferRow.state == "under way")
    return (await session.scalars(query)).one_or_none()


async def _row(session: AsyncSession, slug: str, on: str | None, weights: Mapping[str, int]) -> TenantRow:
    row = await session.scalar(select(TenantRow).where(TenantRow.slug == slug).with_for_update())
    if row is None:
        identity = new_id()
        name = on or await place(session, weights)
        schema = schema_name(identity)
        session.add(TransferRow(tenant_id=identity, kind="import", schema=schema, target=name))
        return TenantRow(id=identity, schema=schema, slug=slug, database=name, status="provisioning")
    begun = await unfinished(session, row.id) if row.status == "provisioning" else None
    if begun is None or begun.kind != "import":
        raise TenantExists(f"There is a tenant {slug} already: choose another slug with --slug")
    if on not in {None, row.database}:
        raise TransferRefused(
            f"The import of {slug} was begun in the database {row.database}: leave --database out, or first "
            f"`saas tenants delete {slug}`"
        )
    return row


async def _plan(session: AsyncSession, entry: PlanEntry, wanted: str | None) -> tuple[str, int | None, list[str]]:
    """Name and pinned version, and what there is to say of them."""
    if wanted is not None:
        return (await find_plan(session, wanted)).name, None, []
    try:
        newest = await find_plan(session, entry.name)
    except PlanNotFound as error:
        raise TransferRefused(f"{error}, with --plan") from error
    if entry.pinned:
        try:
            pinned = await find_plan(session, entry.name, entry.version)
        except PlanNotFound:
            pinned = newest
        if _same(as_values(pinned), entry.limits):
            return entry.name, pinned.version, []
    if _same(as_values(newest), entry.limits):
        return entry.name, None, []
    return entry.name, None, [f"The plan {entry.name} has other limits here (version {newest.version}): those count"]


async def _claim(session: AsyncSession, registry: Registry, tenant: Tenant, hosts: tuple[str, ...]) -> list[str]:
    """Domains have to be proved here too: the archive's word is no proof."""
    await session.execute(delete(DomainClaimRow).where(DomainClaimRow.tenant_id == tenant.id))
    notes = []
    for host in hosts[:MAX_CLAIMS]:
        try:
            await add_domain(session, registry, tenant, host)
        except TenancyError as error:
            notes.append(f"The domain {host} was left out: {error}")
        else:
            notes.append(f"The domain {host} has to be proved again: see `saas domains list {tenant.slug}`")
    return notes


def _overrides(stored: Mapping[str, tuple[str, str | None]] | None) -> tuple[Any, ...]:
    try:
        return in_force(stored, utc_now())
    except (TypeError, ValueError) as error:
        raise TransferRefused("What overrides the plan cannot be read") from error


def _same(values: Mapping[str, Any], limits: Mapping[str, Any]) -> bool:
    return all(values.get(name) == value for name, value in limits.items())
