"""What one tenant has beyond its plan, mostly for a while: "double the rate until Friday".

Kept in the tenant's row and applied when it is loaded. `ends_at` says for how long that can be cached: nothing polls,
and nothing has to run for an override to end. Those that are over go at the next change of any.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.changes import mark_changed
from tenants.errors import InvalidPlan, TenantNotFound
from tenants.models import TenantRow
from tenants.plan_changes import FIELDS, changed
from tenants.plan_versions import find_plan
from tenants.plans import Plan

#: The field, then what it is set to, and until when (None: until it is cleared).
Stored = Mapping[str, tuple[str, str | None]]
_NOTHING: Final[Stored] = {}


@dataclass(frozen=True, slots=True)
class Override:
    """`value` as in `tenants.plan_changes`: a factor counts from what the plan says at the time."""

    field: str
    value: str
    #: None: until it is cleared.
    until: datetime | None


def in_force(stored: Stored | None, now: datetime) -> tuple[Override, ...]:
    """Those that are not over, by field."""
    found = (
        Override(field, value, None if until is None else datetime.fromisoformat(until))
        for field, (value, until) in sorted((stored or _NOTHING).items())
        if field in FIELDS  # of a release that knew more
    )
    return tuple(override for override in found if override.until is None or override.until > now)


def effective(plan: Plan, overrides: Iterable[Override]) -> Plan:
    """The plan with what overrides it. They were checked when they were stored."""
    return changed(plan, {override.field: override.value for override in overrides})


def ends_at(overrides: Iterable[Override]) -> datetime | None:
    """When the first of them is over; None where none of them ends."""
    return min((override.until for override in overrides if override.until is not None), default=None)


async def list_overrides(session: AsyncSession, slug: str) -> tuple[Override, ...]:
    """Those in force. Raises TenantNotFound."""
    query = select(TenantRow.overrides, func.now()).where(TenantRow.slug == slug)
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise _not_found(slug)
    return in_force(*row)


async def set_overrides(
    session: AsyncSession, slug: str, changes: Mapping[str, str], until: datetime | None
) -> tuple[Override, ...]:
    """Add to what overrides the tenant's plan, or replace it field by field; returns all that are in force.

    Raises TenantNotFound, and InvalidPlan where the plan cannot be changed so or `until` is over.
    """
    row, now = await _locked(session, slug)
    if until is not None and until <= now:
        raise InvalidPlan(f"{until:%Y-%m-%d %H:%M} UTC is over: give a time that is to come")
    changed(await find_plan(session, row.plan, row.plan_version), changes)
    new = [Override(field, value, until) for field, value in changes.items()]
    kept = [override for override in in_force(row.overrides, now) if override.field not in changes]
    return _store(session, row, [*kept, *new])


async def clear_overrides(session: AsyncSession, slug: str, fields: Iterable[str] = ()) -> tuple[Override, ...]:
    """End these, or all where none are named; returns those that are left. Raises TenantNotFound."""
    row, now = await _locked(session, slug)
    ended = set(fields) or set(FIELDS)
    return _store(session, row, [each for each in in_force(row.overrides, now) if each.field not in ended])


def _store(session: AsyncSession, row: TenantRow, overrides: list[Override]) -> tuple[Override, ...]:
    stored: dict[str, Any] = {each.field: (each.value, each.until and each.until.isoformat()) for each in overrides}
    row.overrides = stored or None
    mark_changed(session, row.id)
    return tuple(sorted(overrides, key=lambda each: each.field))


async def _locked(session: AsyncSession, slug: str) -> tuple[TenantRow, datetime]:
    """The tenant's row, and the time in the database, by which overrides end."""
    query = select(TenantRow, func.now()).where(TenantRow.slug == slug).with_for_update()
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise _not_found(slug)
    tenant, now = row
    return tenant, now


def _not_found(slug: str) -> TenantNotFound:
    return TenantNotFound(f"There is no tenant {slug!r}: `saas tenants list` shows those that exist")
