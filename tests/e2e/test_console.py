"""An administrator's day in Chromium: what needs attention, the plan, the audit log; also where no script runs."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect
from sqlalchemy import text

from saas.kit.clock import utc_now
from saas.services import Services
from saas.usage.counters import Batch, Counts
from saas.usage.periods import HOUR, beginning
from tenants.base import new_id
from tenants.registry import Tenant
from tests.conftest import MakeTenant
from tests.e2e.administrator import add_ann, seen, sign_in, visiting
from tests.e2e.browser import complaints, look, screenshot
from tests.factories import MachineFactory
from tests.processes import Server

_LONG = "Bundesverband der Donaudampfschifffahrtsgesellschaften und verwandter Betriebe"


@pytest.fixture(scope="module")
async def acme(services: Services, make_tenant: MakeTenant) -> Tenant:
    """A tenant of some history: people, apps with secrets of all ages, two days of requests."""
    tenant = await make_tenant()
    await add_ann(services, tenant, "owner")
    async with services.database.tenant_session(tenant) as session:
        await services.users.create(session, tenant, email="bob@people.example", name="Bob")
        await services.users.invite(session, tenant, email="carla@people.example")
        clients = [
            (await services.clients.create(session, tenant, MachineFactory(name=name))).client_id
            for name in ("Ledger Sync", _LONG)
        ]
        await session.execute(text("UPDATE mailed_links SET expires_at = now() + interval '1 day'"))
        await session.execute(text("UPDATE oauth_client_secrets SET created_at = now() - interval '400 days'"))
        await services.clients.rotate_secret(session, tenant, clients[0], timedelta(days=3))
        last = beginning(utc_now(), "hour")
        counts = [
            Counts(last - number * HOUR, client, _used((number * 37) % 900, refusals=40 if number in {5, 6} else 0))
            for client in clients
            for number in range(40)
        ]
        await services.usage.enter(session, Batch(new_id(), counts))
    return tenant


def _used(requests: int, refusals: int) -> dict[str, int]:
    return {"requests": requests, "refusals": refusals, "would_refuse": 0, "cost": 2 * requests}


@pytest.fixture
async def context(
    request: pytest.FixtureRequest, browser: Browser, acme: Tenant, server: Server
) -> AsyncIterator[BrowserContext]:
    scripts = getattr(request, "param", True)
    async with visiting(browser, acme, server.port, scripts=scripts) as context:
        yield context


async def test_an_administrators_day(context: BrowserContext) -> None:
    page = await context.new_page()
    complained = complaints(page)
    await sign_in(page, "/console")
    await expect(page.get_by_role("heading", name="What needs attention")).to_be_visible()
    for told in ("sign in with a password alone", "will expire within two days", "older than a year", "an old secret"):
        await expect(page.get_by_text(told)).to_be_visible()
    await expect(page.get_by_role("img", name="Requests by hour")).to_be_visible()
    await seen(page, "console/home")
    await page.get_by_role("link", name="Plan and usage").first.click()
    await expect(page.get_by_role("heading", name="Plan and usage")).to_be_visible()
    await expect(page.get_by_role("row", name="Ledger Sync")).to_be_visible()
    await seen(page, "console/plan")
    await _read_the_log(page)
    assert complained == []


async def _read_the_log(page: Page) -> None:
    await page.get_by_role("link", name="Audit log", exact=True).click()
    await seen(page, "console/audit")
    await page.get_by_label("What", exact=True).select_option(label="Invited a user")
    await page.get_by_label("Text").fill("carla")
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page.get_by_role("row")).to_have_count(2)
    await page.get_by_role("link", name="Invited a user").click()
    await expect(page.get_by_text("carla@people.example")).to_be_visible()
    await seen(page, "console/event")
    await page.get_by_role("link", name="Audit log").first.click()
    await page.get_by_role("button", name="Check that it is whole").click()
    await expect(page.get_by_role("status")).to_contain_text("The log is whole")
    await page.reload()
    await expect(page.get_by_role("status")).to_have_count(0)
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Export CSV").click()
    assert "Invited a user" in (await (await download.value).path()).read_text()
    await page.goto("/console/audit?actor=nobody")
    await expect(page.get_by_text("No such events")).to_be_visible()


@pytest.mark.parametrize("context", [False], indirect=True, ids=["without scripts"])
async def test_on_a_phone_without_scripts(context: BrowserContext) -> None:
    page = await context.new_page()
    await look(page, 360, False)
    await sign_in(page, "/console/nothing?at=all")
    await expect(page.get_by_role("heading", name="This page does not exist")).to_be_visible()
    await screenshot(page, "console/missing-360-light")
    await page.get_by_text("Menu", exact=True).click()
    await screenshot(page, "console/menu-360-light")
    await page.get_by_role("link", name="Audit log").click()
    await page.get_by_role("button", name="Check that it is whole").click()
    await expect(page.get_by_role("status")).to_contain_text("The log is whole")
