"""The plans and their versions. A version is never changed: every change of a plan makes the next one.

A tenant follows the newest version of its plan, so that what is changed for a plan reaches everybody on it at once:
that is what an operator means who raises a limit or turns a feature on. What was sold otherwise is pinned: a tenant
that has a `plan_version` stays there, whatever the plan becomes (see `Registry.set_plan`, and `keep_tenants` here).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.changes import mark_changed
from tenants.errors import InvalidPlan, PlanNotFound
from tenants.models import PlanRow, PlanVersionRow, TenantRow
from tenants.plan_changes import as_values, changed, differences
from tenants.plans import Plan

_NAME: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
#: What `PlanRow` repeats of the newest version.
_REPEATED: Final = ("requests_per_minute", "burst", "requests_per_day")
_TOO_LARGE: Final = 2**63


@dataclass(frozen=True, slots=True)
class PlanVersion:
    """`tenants`: how many are at this version, of which `pinned` stay there when the plan changes."""

    plan: Plan
    created_at: datetime
    tenants: int
    pinned: int


async def list_plans(session: AsyncSession) -> list[Plan]:
    """The newest version of every plan, the smallest first."""
    rows = await session.scalars(_newest().order_by(PlanVersionRow.requests_per_minute, PlanVersionRow.name))
    return [plan_of(row) for row in rows]


async def find_plan(session: AsyncSession, name: str, version: int | None = None) -> Plan:
    """A version, or the newest. Raises PlanNotFound, which names the plans or versions that exist."""
    if version is None:
        row = (await session.scalars(_newest().where(PlanVersionRow.name == name))).one_or_none()
    else:
        row = await session.get(PlanVersionRow, (name, version)) if 0 < version < _TOO_LARGE else None
    if row is not None:
        return plan_of(row)
    names = (await session.scalars(select(PlanRow.name).order_by(PlanRow.requests_per_minute))).all()
    if name not in names:
        raise PlanNotFound(f"There is no plan {name!r}: choose one of {', '.join(names)}")
    raise PlanNotFound(f"The plan {name} has no version {version}: see `saas plans history {name}`")


async def history(session: AsyncSession, name: str) -> list[PlanVersion]:
    """Every version of a plan, the newest first. Raises PlanNotFound."""
    newest = (await find_plan(session, name)).version
    by_version = (
        select(func.coalesce(TenantRow.plan_version, newest).label("version"))
        .add_columns(func.count().label("tenants"), func.count(TenantRow.plan_version).label("pinned"))
        .where(TenantRow.plan == name)
        .group_by("version")
    )
    at = {row.version: (row.tenants, row.pinned) for row in await session.execute(by_version)}
    rows = await session.scalars(
        select(PlanVersionRow).where(PlanVersionRow.name == name).order_by(PlanVersionRow.version.desc())
    )
    return [PlanVersion(plan_of(row), row.created_at, *at.get(row.version, (0, 0))) for row in rows]


async def set_plan(session: AsyncSession, name: str, changes: Mapping[str, str], *, keep_tenants: bool = False) -> Plan:
    """Make the next version of a plan, or a plan; the newest version, where nothing differs from it.

    `changes` are those of `tenants.plan_changes`; a new plan needs its three rates. With `keep_tenants`, those that
    followed the plan are pinned to the version that they have. Raises InvalidPlan.
    """
    row = await session.get(PlanRow, name, with_for_update=True)
    if row is None:
        plan = _new_plan(name, changes)
        session.add(PlanRow(name=name, **{field: getattr(plan, field) for field in _REPEATED}))
        await session.flush()
    else:
        before = await find_plan(session, name)
        plan = replace(changed(before, changes), version=before.version + 1)
        if not differences(before, plan):
            return before
        for field in _REPEATED:
            setattr(row, field, getattr(plan, field))
        if keep_tenants:
            followers = update(TenantRow).where(TenantRow.plan == name, TenantRow.plan_version.is_(None))
            await session.execute(followers.values(plan_version=before.version))
    session.add(PlanVersionRow(**as_values(plan)))
    mark_changed(session, None)
    await session.flush()
    return plan


def plan_of(row: PlanVersionRow) -> Plan:
    values: dict[str, Any] = {field: getattr(row, field) for field in Plan.__dataclass_fields__ if field != "_"}
    return Plan(**{**values, "features": frozenset(row.features)})


def _newest() -> Select[PlanVersionRow]:
    versions = select(PlanVersionRow.name, func.max(PlanVersionRow.version).label("version"))
    newest = versions.group_by(PlanVersionRow.name).subquery()
    return select(PlanVersionRow).join(
        newest, and_(newest.c.name == PlanVersionRow.name, newest.c.version == PlanVersionRow.version)
    )


def _new_plan(name: str, changes: Mapping[str, str]) -> Plan:
    if not _NAME.fullmatch(name):
        raise InvalidPlan(f"{name!r} is not a plan's name: use lower-case letters, digits and hyphens")
    missing: Sequence[str] = [field for field in _REPEATED if field not in changes]
    if missing:
        wanted = " and ".join(field.replace("_per_", " a ") for field in missing)
        raise InvalidPlan(f"There is no plan {name!r}; to create it, give its {wanted} too")
    return changed(Plan(name, requests_per_minute=1, burst=1, requests_per_day=1), changes)
