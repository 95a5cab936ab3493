"""A tenant's own domains: claimed, proved by a record in the DNS, and given up."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from saas.audit.tenancy import change_tenant, claim_domain, tell_verified
from saas.console.frame import CONSOLE, Page, reads, render_console, route, writes
from saas.identity.stepup import require_recent
from tenants import domains as registered
from tenants.errors import DomainNotProved, TenancyError
from tenants.names import normalize_host

DOMAINS: Final = f"{CONSOLE}/domains"
_FEATURE: Final = "custom-domains"
_MAX_TYPED: Final = 400


@reads("settings:read", detached=True)
async def show_domains(page: Page) -> Response:
    return await _page(page)


@writes("settings:write", detached=True)
async def add_domain(page: Page) -> Response:
    state, tenant, host = page.state, page.tenant, page.form.get("host", "").strip()[:_MAX_TYPED]
    if not host:
        return await _page(page, errors={"host": "Enter a domain, like login.example.com."})

    try:
        added, new = await claim_domain(state.database, state.registry, tenant, host)
    except TenancyError as error:
        return await _page(page, error.status, host=host, errors={"host": f"{error}."})
    if added.verified_at is not None:
        return page.done(DOMAINS, f"{added.host} leads here already.", "info")
    if not new:
        return page.done(DOMAINS, f"{added.host} is here already, and waits for its records.", "info")
    return page.done(DOMAINS, f"{added.host} is added. Now set the records that it waits for.")


@writes("settings:write", detached=True)
async def look_now(page: Page) -> Response:
    """Whether the record is there; what the name servers say stands beside the domain."""
    state, host = page.state, page.form.get("host", "")[:_MAX_TYPED]
    try:
        found = await registered.verify_domain(state.database, page.tenant, host, state.txt, told=tell_verified)
    except DomainNotProved as error:
        says = "There is no such TXT record yet." if error.found is None else f"The TXT record says “{error.found}”."
        return await _page(page, error.status, found={normalize_host(host): says})
    except TenancyError as error:
        return await _page(page, error.status, found={normalize_host(host): f"{error}."})
    return page.done(DOMAINS, f"{found.host} is proved: people reach you there from now on.")


@writes("settings:write", detached=True)
async def remove_domain(page: Page) -> Response:
    if (late := require_recent(page.request, page.person, form=DOMAINS)) is not None:
        return late
    state, tenant, host = page.state, page.tenant, normalize_host(page.form.get("host", "")[:_MAX_TYPED])

    async def change(session: AsyncSession) -> None:
        await registered.remove_domain(session, tenant, host)

    await change_tenant(state.database, tenant, "domain.removed", change, host=host)
    return page.done(DOMAINS, f"{host} is removed.")


async def _page(
    page: Page,
    status: int = 422,
    *,
    host: str = "",
    errors: Mapping[str, str] | None = None,
    found: Mapping[str, str] | None = None,
) -> Response:
    """`errors` of the form to add one; `found` by host, where the record was looked for in vain."""
    async with page.state.database.platform_session() as session:
        listed = await registered.list_domains(session, page.tenant)
    plan = page.tenant.plan
    return render_console(
        page,
        "console/domains.html",
        status if errors or found else 200,
        active="domains",
        scripts=True,
        proved=[domain for domain in listed if domain.verified_at is not None],
        waiting=[domain for domain in listed if domain.verified_at is None],
        included=_FEATURE in plan.features,
        plan=plan.name,
        cap=plan.domains,
        days=registered.RETRIED_FOR.days,
        primary=page.tenant.host,
        host=host,
        errors=errors or {},
        found=found or {},
    )


routes: Final = [
    route(DOMAINS, show_domains, "GET"),
    route(DOMAINS, add_domain, "POST"),
    route(f"{DOMAINS}/look", look_now, "POST"),
    route(f"{DOMAINS}/remove", remove_domain, "POST"),
]
