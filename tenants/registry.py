"""Find, list and change tenants. Look-ups by host or slug are cached; their invalidation is here too."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, Text, and_, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.base import utc_now
from tenants.cache import Cache
from tenants.changes import Changes, mark_changed
from tenants.database import Database
from tenants.errors import TenantNotFound, TenantNotReady
from tenants.migrate.render import TENANT
from tenants.models import DomainRow, FormerHostRow, PlanVersionRow, TenantRow
from tenants.names import Origin, check_text, is_host, is_slug, normalize_host
from tenants.overrides import effective, ends_at, in_force
from tenants.plan_versions import find_plan, plan_of
from tenants.plans import Plan

#: Seconds for which a tenant is believed to wait for its migration.
_BEHIND_LASTS: Final = 1.0

_Tenants = Select[TenantRow, PlanVersionRow, Sequence[str], datetime]


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant as the registry knows it. `domains` are the custom ones; `issuer` is at the primary host."""

    id: UUID
    slug: str
    name: str
    host: str
    issuer: str
    schema: str
    status: str
    plan: Plan
    domains: tuple[str, ...]
    suspended_reason: str | None
    revision: str | None
    created_at: datetime
    #: #rrggbb; None: the platform's own.
    accent: str | None = None
    #: The name of its logo's file (see `tenants.branding`).
    logo: str | None = None
    #: The name of the database that holds the schema.
    database: str = "default"
    #: Whether the plan stays at its version when there is a newer one.
    plan_pinned: bool = False
    #: When `plan` is another, since an override ends; None: not by itself.
    plan_until: datetime | None = None
    deleted_at: datetime | None = None
    #: When a deleted tenant is taken away for good.
    purge_at: datetime | None = None


class Registry:
    """The tenants of this platform.

    `reserved_hosts` are the platform's own: no tenant may take them.
    """

    def __init__(
        self,
        database: Database,
        origin: Origin,
        changes: Changes,
        *,
        reserved_hosts: frozenset[str] = frozenset(),
    ) -> None:
        self.origin = origin
        self.reserved_hosts = frozenset(map(normalize_host, reserved_hosts)) | {origin.base_domain}
        self._database = database
        self._hosts: Cache[str, Tenant] = Cache(self._load_host, owner=_id_of, lasts=self._lasts)
        self._slugs: Cache[str, Tenant] = Cache(self._load_slug, owner=_id_of, lasts=self._lasts)
        #: How far the database's clock, by which overrides end, is ahead of this process's.
        self._ahead = timedelta(0)
        changes.listen(self._hosts.drop)
        changes.listen(self._slugs.drop)

    async def by_host(self, host: str) -> Tenant | None:
        """The tenant that is reached at this host, or was before it was renamed, whatever its status; cached."""
        canonical = _canonical(host)
        return await self._hosts.get(canonical) if canonical is not None else None

    async def by_slug(self, slug: str) -> Tenant | None:
        """The tenant of this name, or that had it before it was renamed, whatever its status; cached."""
        return await self._slugs.get(slug) if is_slug(slug) else None

    async def all(self, session: AsyncSession) -> list[Tenant]:
        """Every tenant, by slug."""
        rows = await session.execute(_tenants().order_by(TenantRow.slug))
        return [self._tenant(row) for row in rows]

    async def by_ids(self, session: AsyncSession, ids: Sequence[UUID]) -> list[Tenant]:
        """Those that there are, whatever their status, as this transaction sees them."""
        return [self._tenant(row) for row in await session.execute(_tenants().where(TenantRow.id.in_(ids)))]

    async def get(self, session: AsyncSession, slug: str) -> Tenant:
        """The tenant as this transaction sees it. Raises TenantNotFound."""
        row = (await session.execute(_tenants().where(TenantRow.slug == slug))).one_or_none() if is_slug(slug) else None
        if row is None:
            raise _not_found(slug)
        return self._tenant(row)

    async def get_made(self, session: AsyncSession, slug: str) -> Tenant:
        """Like `get`, for work in the tenant's schema. Raises TenantNotFound and TenantNotReady."""
        tenant = await self.get(session, slug)
        _check_made(slug, tenant.status)
        return tenant

    async def suspend(self, session: AsyncSession, slug: str, reason: str) -> Tenant:
        """Refuse the tenant's requests, saying why. Raises TenantNotFound, TenantNotReady and InvalidName."""
        reason = check_text(reason, "reason to be suspended")
        row = await self.changeable(session, slug)
        if (row.status, row.suspended_reason) != ("suspended", reason):
            row.status, row.suspended_reason = "suspended", reason
            mark_changed(session, row.id)
        return await self._written(session, slug)

    async def resume(self, session: AsyncSession, slug: str) -> Tenant:
        """Serve the tenant's requests again. Raises TenantNotFound and TenantNotReady."""
        row = await self.changeable(session, slug)
        if row.status == "suspended":
            row.status, row.suspended_reason = "active", None
            mark_changed(session, row.id)
        return await self._written(session, slug)

    async def set_plan(self, session: AsyncSession, slug: str, plan: str, *, version: int | None = None) -> Tenant:
        """Put the tenant on a plan: pinned to a version of it, or following the newest (None).

        What overrides the plan stays. Raises TenantNotFound, TenantNotReady and PlanNotFound.
        """
        await find_plan(session, plan, version)
        row = await self.changeable(session, slug)
        if (row.plan, row.plan_version) != (plan, version):
            row.plan, row.plan_version = plan, version
            mark_changed(session, row.id)
        return await self._written(session, slug)

    async def _load_host(self, host: str) -> Tenant | None:
        owner = select(DomainRow.tenant_id).where(DomainRow.host == host).scalar_subquery()
        former = _former(FormerHostRow.host == host)
        return await self._load(_tenants().where(or_(TenantRow.host == host, TenantRow.id.in_((owner, former)))))

    async def _load_slug(self, slug: str) -> Tenant | None:
        former = _former(FormerHostRow.slug == slug)
        return await self._load(_tenants().where(or_(TenantRow.slug == slug, TenantRow.id == former)))

    async def _load(self, query: _Tenants) -> Tenant | None:
        async with self._database.platform_session() as session:
            row = (await session.execute(query)).one_or_none()
        if row is None:
            return None
        self._ahead = row[3] - utc_now()
        return self._tenant(row)

    def _lasts(self, tenant: Tenant) -> float | None:
        """Seconds until the tenant's plan is another, since an override ends; None: nobody knows of any change."""
        if tenant.revision in TENANT.older:  # its migration tells nobody: among thousands that would be all they hear
            return _BEHIND_LASTS
        return None if tenant.plan_until is None else (tenant.plan_until - utc_now() - self._ahead).total_seconds()

    async def changeable(self, session: AsyncSession, slug: str) -> TenantRow:
        """The tenant's row, locked, for a change to it. Raises TenantNotFound and TenantNotReady."""
        row = await session.scalar(select(TenantRow).where(TenantRow.slug == slug).with_for_update())
        if row is None:
            raise _not_found(slug)
        _check_made(slug, row.status)
        return row

    async def _written(self, session: AsyncSession, slug: str) -> Tenant:
        await session.flush()
        return await self.get(session, slug)

    def _tenant(self, row: Row[TenantRow, PlanVersionRow, Sequence[str], datetime]) -> Tenant:
        tenant, plan, domains, now = row
        overrides = in_force(tenant.overrides, now)
        return Tenant(
            id=tenant.id,
            slug=tenant.slug,
            name=tenant.name,
            host=tenant.host,
            issuer=self.origin.url_of(tenant.host),
            schema=tenant.schema,
            database=tenant.database,
            status=tenant.status,
            plan=effective(plan_of(plan), overrides),
            plan_pinned=tenant.plan_version is not None,
            plan_until=ends_at(overrides),
            domains=tuple(domains),
            suspended_reason=tenant.suspended_reason,
            revision=tenant.revision,
            created_at=tenant.created_at,
            accent=tenant.accent,
            logo=tenant.logo,
            deleted_at=tenant.deleted_at,
            purge_at=tenant.purge_at,
        )


def _former(was: ColumnElement[bool]) -> ScalarSelect[UUID]:
    """The tenant that lately was there. Nobody else is: hosts and slugs stay reserved meanwhile."""
    return select(FormerHostRow.tenant_id).where(was, FormerHostRow.until > utc_now()).scalar_subquery()


def _tenants() -> _Tenants:
    """Rows of (tenant, its version of its plan, its custom domains, the time in the database): one round trip."""
    domains = select(DomainRow.host).where(DomainRow.tenant_id == TenantRow.id).order_by(DomainRow.host)
    newest = select(func.max(PlanVersionRow.version)).where(PlanVersionRow.name == TenantRow.plan)
    version = func.coalesce(TenantRow.plan_version, newest.correlate(TenantRow).scalar_subquery())
    return select(
        TenantRow,
        PlanVersionRow,
        func.array(domains.correlate(TenantRow).scalar_subquery(), type_=ARRAY(Text())),
        func.now(),
    ).join(PlanVersionRow, and_(PlanVersionRow.name == TenantRow.plan, PlanVersionRow.version == version))


@lru_cache(maxsize=4096)  # the same few hundred come again and again
def _canonical(host: str) -> str | None:
    """None where no tenant could be there."""
    canonical = normalize_host(host)
    return canonical if is_host(canonical) else None


def _not_found(slug: str) -> TenantNotFound:
    return TenantNotFound(f"There is no tenant {slug!r}: `saas tenants list` shows those that exist")


def _check_made(slug: str, status: str) -> None:
    if status == "provisioning":
        raise TenantNotReady(f"{slug} is not provisioned yet: finish with `saas tenants create {slug} ...`")
    if status == "deleting":
        raise TenantNotReady(f"{slug} is being deleted: finish with `saas tenants delete {slug}`")
    if status == "deleted":
        raise TenantNotReady(f"{slug} is deleted: bring it back with `saas tenants restore {slug}`")
    if status == "moving":
        raise TenantNotReady(f"{slug} is being moved to another database: try again when it is there")


def _id_of(tenant: Tenant) -> UUID:
    return tenant.id
