"""Changes of a plan as they are written: `users=50`, `requests_per_minute=x2`, `features=+audit-export`. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any, Final

from tenants.errors import InvalidPlan
from tenants.plans import FEATURES, Plan

#: Limits stay exact in a script that counts in doubles, with room to multiply by microseconds.
_MAX: Final = 10**9
_FACTOR: Final = re.compile(r"x(\d{1,4}(?:\.\d{1,2})?)")
_NONE: Final = "none"
_SWITCH: Final = {"on": True, "off": False}


@dataclass(frozen=True, slots=True)
class _Range:
    low: int
    high: int
    #: Whether there may be no limit at all.
    optional: bool = True


_NUMBERS: Final = {
    "requests_per_minute": _Range(1, _MAX, optional=False),
    "burst": _Range(1, _MAX, optional=False),
    "requests_per_day": _Range(1, _MAX, optional=False),
    "requests_per_month": _Range(1, 31 * _MAX),
    "concurrent": _Range(1, 1_000_000),
    "users": _Range(0, _MAX),
    "clients": _Range(0, _MAX),
    "projects": _Range(0, _MAX),
    "domains": _Range(0, _MAX),
    "token_lifetime": _Range(60, 86_400),
    "client_share": _Range(1, 100),
    "user_share": _Range(1, 100),
    "audit_days": _Range(1, 3_650, optional=False),
}
#: What a change may name.
FIELDS: Final = (*_NUMBERS, "features", "shadow")


def parse(assignments: Iterable[str]) -> dict[str, str]:
    """`["users=50"]` as `{"users": "50"}`; hyphens in a field's name will do. Raises InvalidPlan."""
    changes: dict[str, str] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        (field,) = named([name])
        if not equals:
            raise InvalidPlan(f"{assignment!r} changes nothing: write {field}=value")
        if field in changes:
            raise InvalidPlan(f"{field} is given twice: give it once")
        changes[field] = value.strip().lower()
    return changes


def named(names: Iterable[str]) -> list[str]:
    """The fields of these names. Raises InvalidPlan."""
    found = [name.strip().replace("-", "_") for name in names]
    for field in found:
        if field not in FIELDS:
            raise InvalidPlan(f"{field[:40]!r} is no field of a plan: there are {', '.join(FIELDS)}")
    return found


def changed(plan: Plan, changes: Mapping[str, str]) -> Plan:
    """The plan with these changes; a factor counts from the plan's own value, and stops at what is possible.

    Raises InvalidPlan, which says what the field can be.
    """
    return replace(plan, **{field: _value(plan, field, text) for field, text in changes.items()})


def differences(before: Plan, after: Plan) -> list[tuple[str, Any, Any]]:
    """(field, value before, value after) of the fields that differ; names and versions do not count."""
    pairs = ((field, getattr(before, field), getattr(after, field)) for field in FIELDS)
    return [(field, old, new) for field, old, new in pairs if old != new]


def as_values(plan: Plan) -> dict[str, Any]:
    """The plan's fields by name, its features in order."""
    values = {field.name: getattr(plan, field.name) for field in fields(plan)}
    return {**values, "features": sorted(plan.features)}


def _value(plan: Plan, field: str, text: str) -> Any:
    if field == "features":
        return _features(plan.features, text)
    if field == "shadow":
        if text not in _SWITCH:
            raise InvalidPlan(f"shadow is {text!r}: write on or off")
        return _SWITCH[text]
    return _number(field, getattr(plan, field), text)


def _number(field: str, own: int | None, text: str) -> int | None:
    allowed = _NUMBERS[field]
    if allowed.optional and text == _NONE:
        return None
    factor = _FACTOR.fullmatch(text)
    if factor is not None:
        return None if own is None else min(max(int(own * Decimal(factor[1])), allowed.low), allowed.high)
    if not re.fullmatch(r"\d{1,12}", text, re.ASCII) or not allowed.low <= int(text) <= allowed.high:
        can_be = f"a number between {allowed.low} and {allowed.high}, or a factor like x2"
        raise InvalidPlan(f"{field} is {text[:40]!r}: it is {can_be}{', or none' if allowed.optional else ''}")
    return int(text)


def _features(own: frozenset[str], text: str) -> frozenset[str]:
    """`custom-domains,audit-export` are all there are; `+audit-export,-custom-domains` come and go."""
    parts = [] if text in {"", _NONE} else [part.strip() for part in text.split(",")]
    unknown = [part for part in parts if part.lstrip("+-") not in FEATURES]
    signed = [part for part in parts if part[:1] in {"+", "-"}]
    if unknown or len(signed) not in {0, len(parts)}:
        raise InvalidPlan(
            f"features is {text[:200]!r}: write names with commas between them, each with + or - before it to add to "
            f"what the plan has or take from it; there are {', '.join(FEATURES)}"
        )
    if not signed:
        return frozenset(parts)
    added = {part[1:] for part in parts if part[0] == "+"}
    return (own | added) - {part[1:] for part in parts if part[0] == "-"}
