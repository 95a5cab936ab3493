"""The plan: what it allows, what of it is used, by which app, and what is changed for this tenant for a while."""

from collections.abc import Iterator
from typing import Any, Final

from starlette.responses import Response

from saas.console.frame import CONSOLE, Page, reads, render_console, route
from saas.console.home import cap_gauges, quota_gauges, registered
from saas.kit.clock import utc_now
from saas.oauth.overview import names_of
from saas.usage.periods import beginning
from tenants.plans import FEATURES, Plan

_BUSIEST: Final = 10
#: Fields of a plan, as people read of them.
_FIELDS: Final = {
    "requests_per_minute": "Requests a minute",
    "burst": "Requests at once",
    "requests_per_day": "Requests a day",
    "requests_per_month": "Requests a month",
    "concurrent": "Requests under way at the same time",
    "client_share": "Of the rate, for one app",
    "user_share": "Of the rate, for one person",
    "token_lifetime": "Longest life of an access token",
    "audit_days": "The audit log is kept for",
    "users": "People",
    "clients": "Apps",
    "projects": "Projects",
    "domains": "Domains",
    "features": "What is switched on",
    "shadow": "Limits are only watched",
}
#: Those that are not shown as gauges.
_LIMITS: Final = tuple(_FIELDS)[:9]
_UNITS: Final = (("hour", 3600), ("minute", 60), ("second", 1))


@reads("usage:read", detached=True)
async def show_plan(page: Page) -> Response:
    now = utc_now()
    domains, overrides = await registered(page)
    quotas = await quota_gauges(page, now)
    plan = page.tenant.plan
    async with page.state.database.tenant_session(page.tenant) as page.session:
        held = await cap_gauges(page, len(domains))
        used = await page.state.usage.clients(page.session, beginning(now, "month"), now, limit=_BUSIEST)
        names = await names_of(page.session, [each.client_id for each in used])
    return render_console(
        page,
        "console/plan.html",
        active="plan",
        plan=plan,
        quotas=quotas,
        caps=held,
        limits=list(_limits(plan)),
        features=[(label, name in plan.features) for name, label in FEATURES.items()],
        overrides=[(_FIELDS.get(each.field, each.field), _words(each.value), each.until) for each in overrides],
        clients=[(each.client_id, names.get(each.client_id), each.use) for each in used],
    )


def _limits(plan: Plan) -> Iterator[tuple[str, str]]:
    for field in _LIMITS:
        yield _FIELDS[field], _value(field, getattr(plan, field))


def _value(field: str, value: Any) -> str:
    if value is None:
        return "The platform's own" if field == "token_lifetime" else "No limit"
    if field.endswith("_share"):
        return f"{value} %"
    if field == "audit_days":
        return f"{value:,} days"
    if field == "token_lifetime":
        number, unit = next((value // length, unit) for unit, length in _UNITS if value % length == 0)
        return f"{number} {unit}{'s' * (number > 1)}"
    return f"{value:,}"


def _words(value: str) -> str:
    """As `tenants.plan_changes` takes it: a number, `none`, or a factor like x2."""
    if value.startswith("x"):
        return f"{value.removeprefix('x')} times the plan's"
    return {"none": "no limit", "on": "yes", "off": "no"}.get(value, value)


routes: Final = [route(f"{CONSOLE}/plan", show_plan, "GET")]
