"""The console's first page: what needs attention, the plan and its use, and what happened last.

How many queries it takes does not depend on how many people, apps or events there are.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.responses import Response

from saas.audit.log import Event, EventFilter
from saas.console import attention
from saas.console.attention import SOON, Item
from saas.console.charts import Gauge, HourChart, cap_gauge, hour_chart, quota_gauge
from saas.console.frame import CONSOLE, Page, reads, render_console, route
from saas.identity.overview import people_overview
from saas.kit.clock import utc_now
from saas.oauth.overview import apps_overview
from tenants import caps
from tenants.domains import Domain, list_domains
from tenants.overrides import Override, list_overrides
from tenants.plans import CAPS

#: What caps are called where people read of them.
CAP_LABELS: Final[Mapping[str, str]] = {
    "users": "People",
    "clients": "Apps",
    "projects": "Projects",
    "domains": "Domains",
}
HOURS: Final = timedelta(hours=48)
_EVENTS: Final = 8


@reads(detached=True)
async def show_home(page: Page) -> Response:
    now = utc_now()
    domains, overrides = await registered(page)
    quotas = await quota_gauges(page, now) if page.may("usage:read") else []
    async with page.state.database.tenant_session(page.tenant) as page.session:
        held, chart, events = await _seen(page, now, len(domains))
        items = await _items(page, now, domains, overrides, [*quotas, *held])
    return render_console(
        page, "console/home.html", active="home", items=items, quotas=quotas, caps=held, chart=chart, events=events
    )


async def _seen(page: Page, now: datetime, domains: int) -> tuple[list[Gauge], HourChart | None, list[Event] | None]:
    """None of what the person may not see."""
    held: list[Gauge] = []
    chart, events = None, None
    if page.may("usage:read"):
        held = await cap_gauges(page, domains)
        chart = hour_chart(await page.state.usage.hours(page.session, now - HOURS, now))
    if page.may("audit:read"):
        events = (await page.state.audit.list(page.session, EventFilter(), limit=_EVENTS)).items
    return held, chart, events


async def quota_gauges(page: Page, now: datetime) -> list[Gauge]:
    """None where Valkey does not answer."""
    return [quota_gauge(each, now) for each in await page.state.usage.quota(page.tenant)]


async def cap_gauges(page: Page, domains: int) -> list[Gauge]:
    """What there is of all that a plan can cap. One SELECT."""
    counts = await caps.count(page.session, page.state.capped) | {"domains": domains}
    plan = page.tenant.plan
    return [cap_gauge(CAP_LABELS.get(name, name), counts[name], getattr(plan, name)) for name in CAPS]


async def registered(page: Page) -> tuple[list[Domain], tuple[Override, ...]]:
    """What the registry knows of the tenant, and its own schema does not."""
    async with page.state.database.platform_session() as registry:
        domains = await list_domains(registry, page.tenant)
        return domains, await list_overrides(registry, page.tenant.slug)


async def _items(
    page: Page, now: datetime, domains: list[Domain], overrides: tuple[Override, ...], gauges: list[Gauge]
) -> list[Item]:
    """Of what the person may open; the worst first."""
    found: list[Item] = []
    if page.may("users:read"):
        found += attention.of_people(await people_overview(page.session, now, SOON))
    if page.may("clients:read"):
        found += attention.of_apps(await apps_overview(page.session, now), now)
    if page.may("settings:read"):
        found += attention.of_domains(domains)
        rotate_after = timedelta(seconds=page.state.settings.keys.rotate_after)
        found += attention.of_keys(await page.state.key_lifecycle.list(page.session), rotate_after, now)
    if page.may("usage:read"):
        found += attention.of_plan(gauges, overrides, now)
    return sorted(found, key=lambda item: _ORDER[item.kind])


_ORDER: Final[Mapping[str, Any]] = {"bad": 0, "warn": 1, "info": 2}

routes: Final = [route(CONSOLE, show_home, "GET")]
