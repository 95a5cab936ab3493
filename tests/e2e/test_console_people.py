"""An administrator looks after people and roles in Chromium: invites, gives rights, helps; without scripts too."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect
from sqlalchemy import text

from saas.services import Services
from tenants.registry import Tenant
from tests.conftest import MakeTenant
from tests.e2e.administrator import add_ann, seen, sign_in, visiting
from tests.e2e.browser import complaints
from tests.processes import Server

_LONG = "Maximiliane Freifrau von und zu Hohenstein-Bartenstein-Donaudampfschifffahrt"
_LONG_EMAIL = "maximiliane.von-und-zu-hohenstein@mail.subsidiary.donaudampfschifffahrt.example.com"
#: As many as a large company has.
_MANY = """
    INSERT INTO users (id, email, email_key, name, password_hash, roles, created_at, updated_at)
    SELECT gen_random_uuid(), key, key, 'Person ' || number, 'x', '{member}', now(), now()
    FROM (SELECT number, 'p' || to_char(number, 'FM00000') || '@many.example' AS key
          FROM generate_series(1, 10000) AS number) AS people
"""


@pytest.fixture(scope="module")
async def acme(services: Services, make_tenant: MakeTenant) -> Tenant:
    tenant = await make_tenant()
    await add_ann(services, tenant, "owner")
    async with services.database.tenant_session(tenant) as session:
        bob = await services.users.create(
            session, tenant, email=_LONG_EMAIL, name=_LONG, roles=["admin", "member"], password_hash="x"
        )
        for agent in ("Mozilla/5.0 (X11; Linux) Firefox/140.0", "Mozilla/5.0 (iPhone) Version/18.0 Safari/605"):
            await services.sessions.start(session, tenant, bob.id, amr=["pwd"], address="203.0.113.7", user_agent=agent)
        await session.execute(text(_MANY))
    return tenant


@pytest.fixture
async def context(
    request: pytest.FixtureRequest, browser: Browser, acme: Tenant, server: Server
) -> AsyncIterator[BrowserContext]:
    scripts = getattr(request, "param", True)
    async with visiting(browser, acme, server.port, scripts=scripts, width=360) as context:
        yield context


async def test_people_are_invited_and_looked_after(context: BrowserContext) -> None:
    page = await context.new_page()
    complained = complaints(page)
    await sign_in(page, "/console/people")
    await expect(page.get_by_text("10,003 people")).to_be_visible()
    await expect(page.get_by_text("25 shown")).to_be_visible()
    await seen(page, "console/people-many")
    await page.get_by_role("link", name="Next page").click()
    await expect(page.get_by_role("link", name="Back to the first")).to_be_visible()
    await page.get_by_role("link", name="Invite people").click()
    await page.get_by_label("E-mail addresses").fill("Bea <bea@people.example>\ncarl@people\nann@people.example")
    await page.get_by_role("button", name="Send the invitations").click()
    await expect(page.get_by_text("2 of 3 cannot be invited")).to_be_visible()
    await seen(page, "console/people-invite-wrong")
    await page.get_by_label("E-mail addresses").fill("Bea <bea@people.example>\ncarl@people.example")
    await page.get_by_role("button", name="Send the invitations").click()
    await expect(page.get_by_role("status")).to_contain_text("2 people are invited")
    await expect(page.get_by_role("row")).to_have_count(3)
    await seen(page, "console/people-invited")
    await page.get_by_role("link", name="Bea").click()
    await page.get_by_role("button", name="Send the invitation again").click()
    await expect(page.get_by_role("status")).to_contain_text("bea@people.example will find a new link")
    await page.get_by_text("Withdraw the invitation").click()
    await page.get_by_role("button", name="Withdraw it").click()
    await expect(page.get_by_role("status")).to_contain_text("is not invited any more")
    await _look_after(page)
    await page.goto("/console/people?q=nobody-is-called-this")
    await expect(page.get_by_text("Nobody fits")).to_be_visible()
    await seen(page, "console/people-none")
    assert [found for found in complained if "422" not in found] == []


async def _look_after(page: Page) -> None:
    await page.goto("/console/people")
    await page.get_by_label("Name or address").fill("freifrau")
    await page.get_by_role("button", name="Filter").click()
    await page.get_by_role("link", name=_LONG).click()
    await expect(page.get_by_text("Firefox on Linux", exact=True)).to_be_visible()
    await page.get_by_text("What these roles allow").click()
    await seen(page, "console/people-person")
    await page.get_by_role("button", name="End the session of Firefox on Linux").click()
    await expect(page.get_by_text("Firefox on Linux", exact=True)).to_have_count(0)
    await page.get_by_label("admin", exact=True).uncheck()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status")).to_contain_text("is saved")
    await expect(page.get_by_label("admin", exact=True)).not_to_be_checked()
    await page.get_by_role("button", name="End all sessions").click()
    await expect(page.get_by_text("Nowhere at the moment.")).to_be_visible()
    await page.locator("summary", has_text="Disable").click()
    await seen(page, "console/people-disable")
    await page.get_by_role("button", name=f"Disable now {_LONG}").click()
    await expect(page.get_by_role("status")).to_contain_text("is disabled and signed out everywhere")
    await page.get_by_role("button", name="Let them in again").click()
    await expect(page.get_by_role("status")).to_contain_text("may sign in again")


@pytest.mark.parametrize("context", [True, False], indirect=True, ids=["with scripts", "without scripts"])
async def test_a_role_is_made_given_and_taken_back(request: pytest.FixtureRequest, context: BrowserContext) -> None:
    page, name = await context.new_page(), f"support-{len(request.node.name)}"
    await sign_in(page, "/console/roles")
    await page.get_by_role("link", name="Make a role").click()
    await page.get_by_label("Name", exact=True).fill("Not a name")
    await page.get_by_role("button", name="Make the role").click()
    await expect(page.get_by_text("Choose at least one thing that it allows.").first).to_be_visible()
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label("Description").fill("Answers what customers ask")
    await page.get_by_label("See the projects").check()
    await page.get_by_label("See the people, their roles").check()
    scripts = await page.evaluate("true") if "with scripts" in request.node.name else False
    if scripts:
        await seen(page, "console/people-role-new")
    await page.get_by_role("button", name="Make the role").click()
    await expect(page.get_by_role("status")).to_contain_text(f"The role {name} is made")
    role = page.url
    await page.goto("/console/people?q=ann@people")
    await page.get_by_role("link", name="Ann", exact=True).click()
    await page.get_by_label(name).check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status")).to_contain_text("Ann is saved")
    await page.goto(role)
    await expect(page.get_by_text("give this person another role first")).to_be_visible()
    if scripts:
        await seen(page, "console/people-role")
    await page.get_by_role("link", name="Ann", exact=True).click()
    await page.get_by_label(name).uncheck()
    await page.get_by_role("button", name="Save").click()
    await page.goto(role)
    await page.get_by_label("See the people, their roles").uncheck()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status")).to_contain_text("The role is saved")
    if scripts:
        await page.goto("/console/roles")
        await seen(page, "console/people-roles")
        await page.goto(role)
    await page.get_by_text("Delete this role").click()
    await page.get_by_role("button", name=f"Delete {name}").click()
    await expect(page.get_by_role("status")).to_contain_text(f"The role {name} is deleted")
