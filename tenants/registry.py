"""Find, list and change tenants and plans. Look-ups by host or slug are cached; their invalidation is here too."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, Select, Text, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.cache import Cache
from tenants.changes import Changes, mark_changed
from tenants.database import Database
from tenants.errors import InvalidPlan, PlanNotFound, TenantNotFound, TenantNotReady
from tenants.models import DomainRow, PlanRow, TenantRow
from tenants.names import Origin, is_host, is_slug, normalize_host
from tenants.plans import Plan

#: Limits stay exact in a script that counts in doubles, with room to multiply by microseconds.
_MAX_LIMIT = 10**9
_Tenants = Select[TenantRow, PlanRow, Sequence[str]]
_PLAN_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")


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
        self._hosts: Cache[str, Tenant] = Cache(self._load_host, owner=_id_of)
        self._slugs: Cache[str, Tenant] = Cache(self._load_slug, owner=_id_of)
        changes.listen(self._hosts.drop)
        changes.listen(self._slugs.drop)

    async def by_host(self, host: str) -> Tenant | None:
        """The tenant whose primary host or custom domain this is, whatever its status; cached."""
        canonical = normalize_host(host)
        return await self._hosts.get(canonical) if is_host(canonical) else None

    async def by_slug(self, slug: str) -> Tenant | None:
        """Whatever the tenant's status; cached."""
        return await self._slugs.get(slug) if is_slug(slug) else None

    async def all(self, session: AsyncSession) -> list[Tenant]:
        """Every tenant, by slug."""
        rows = await session.execute(_tenants().order_by(TenantRow.slug))
        return [self._tenant(row) for row in rows]

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
        """Refuse the tenant's requests, saying why. Raises TenantNotFound and TenantNotReady."""
        row = await self._changeable(session, slug)
        if (row.status, row.suspended_reason) != ("suspended", reason):
            row.status, row.suspended_reason = "suspended", reason
            mark_changed(session, row.id)
        return await self._written(session, slug)

    async def resume(self, session: AsyncSession, slug: str) -> Tenant:
        """Serve the tenant's requests again. Raises TenantNotFound and TenantNotReady."""
        row = await self._changeable(session, slug)
        if row.status == "suspended":
            row.status, row.suspended_reason = "active", None
            mark_changed(session, row.id)
        return await self._written(session, slug)

    async def set_plan(self, session: AsyncSession, slug: str, plan: str) -> Tenant:
        """Raises TenantNotFound, TenantNotReady and PlanNotFound."""
        await find_plan(session, plan)
        row = await self._changeable(session, slug)
        if row.plan != plan:
            row.plan = plan
            mark_changed(session, row.id)
        return await self._written(session, slug)

    async def plans(self, session: AsyncSession) -> list[Plan]:
        """Every plan, the smallest first."""
        rows = await session.scalars(select(PlanRow).order_by(PlanRow.requests_per_minute, PlanRow.name))
        return [_plan(row) for row in rows]

    async def set_plan_limits(
        self,
        session: AsyncSession,
        name: str,
        *,
        requests_per_minute: int | None = None,
        burst: int | None = None,
        requests_per_day: int | None = None,
    ) -> Plan:
        """Change what is given; a new plan needs all three. Raises InvalidPlan."""
        given = {"requests_per_minute": requests_per_minute, "burst": burst, "requests_per_day": requests_per_day}
        for limit, value in given.items():
            if value is not None and not 0 < value <= _MAX_LIMIT:
                raise InvalidPlan(f"{limit} is {value}: a limit is between 1 and {_MAX_LIMIT}")
        row = await session.get(PlanRow, name, with_for_update=True)
        if row is None:
            row = _new_plan(name, given)
            session.add(row)
        else:
            for limit, value in given.items():
                if value is not None:
                    setattr(row, limit, value)
        mark_changed(session, None)
        await session.flush()
        return _plan(row)

    async def _load_host(self, host: str) -> Tenant | None:
        owner = select(DomainRow.tenant_id).where(DomainRow.host == host).scalar_subquery()
        return await self._load(_tenants().where(or_(TenantRow.host == host, TenantRow.id == owner)))

    async def _load_slug(self, slug: str) -> Tenant | None:
        return await self._load(_tenants().where(TenantRow.slug == slug))

    async def _load(self, query: _Tenants) -> Tenant | None:
        async with self._database.platform_session() as session:
            row = (await session.execute(query)).one_or_none()
        return None if row is None else self._tenant(row)

    async def _changeable(self, session: AsyncSession, slug: str) -> TenantRow:
        row = await session.scalar(select(TenantRow).where(TenantRow.slug == slug).with_for_update())
        if row is None:
            raise _not_found(slug)
        _check_made(slug, row.status)
        return row

    async def _written(self, session: AsyncSession, slug: str) -> Tenant:
        await session.flush()
        return await self.get(session, slug)

    def _tenant(self, row: Row[TenantRow, PlanRow, Sequence[str]]) -> Tenant:
        tenant, plan, domains = row
        return Tenant(
            id=tenant.id,
            slug=tenant.slug,
            name=tenant.name,
            host=tenant.host,
            issuer=self.origin.url_of(tenant.host),
            schema=tenant.schema,
            status=tenant.status,
            plan=_plan(plan),
            domains=tuple(domains),
            suspended_reason=tenant.suspended_reason,
            revision=tenant.revision,
            created_at=tenant.created_at,
            accent=tenant.accent,
            logo=tenant.logo,
        )


async def find_plan(session: AsyncSession, name: str) -> Plan:
    """Raises PlanNotFound, which names the plans that exist."""
    rows = {row.name: row for row in await session.scalars(select(PlanRow).order_by(PlanRow.requests_per_minute))}
    if name not in rows:
        raise PlanNotFound(f"There is no plan {name!r}: choose one of {', '.join(rows)}")
    return _plan(rows[name])


def _tenants() -> _Tenants:
    """Rows of (tenant, its plan, its custom domains): one round trip."""
    domains = select(DomainRow.host).where(DomainRow.tenant_id == TenantRow.id).order_by(DomainRow.host)
    return select(
        TenantRow, PlanRow, func.array(domains.correlate(TenantRow).scalar_subquery(), type_=ARRAY(Text()))
    ).join(PlanRow, PlanRow.name == TenantRow.plan)


def _not_found(slug: str) -> TenantNotFound:
    return TenantNotFound(f"There is no tenant {slug!r}: `saas tenants list` shows those that exist")


def _check_made(slug: str, status: str) -> None:
    if status == "provisioning":
        raise TenantNotReady(f"{slug} is not provisioned yet: finish with `saas tenants create {slug} ...`")
    if status == "deleting":
        raise TenantNotReady(f"{slug} is being deleted: finish with `saas tenants delete {slug}`")


def _new_plan(name: str, limits: dict[str, int | None]) -> PlanRow:
    if not _PLAN_NAME.fullmatch(name):
        raise InvalidPlan(f"{name!r} is not a plan's name: use lower-case letters, digits and hyphens")
    missing = [limit for limit, value in limits.items() if value is None]
    if missing:
        wanted = " and ".join(limit.replace("_per_", " a ") for limit in missing)
        raise InvalidPlan(f"There is no plan {name!r}; to create it, give its {wanted} too")
    return PlanRow(name=name, **limits)


def _plan(row: PlanRow) -> Plan:
    return Plan(
        row.name,
        requests_per_minute=row.requests_per_minute,
        burst=row.burst,
        requests_per_day=row.requests_per_day,
    )


def _id_of(tenant: Tenant) -> UUID:
    return tenant.id
