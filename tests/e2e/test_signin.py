"""A person's way through a real server in a real browser without JavaScript; mail is read at the mailbox page."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from saas.services import Services
from tenants.registry import Tenant
from tests.e2e.administrator import EMAIL, PASSWORD, add_ann, sign_in
from tests.e2e.browser import screenshot
from tests.processes import Server

NEW_PASSWORD = "nine quiet rivers"

NewPage = Callable[[], Awaitable[Page]]


@pytest.fixture
def site(server: Server, tenant: Tenant) -> str:
    return f"http://{tenant.host}:{server.port}"


@pytest.fixture
async def new_page(browser: Browser, site: str) -> AsyncIterator[NewPage]:
    """Each with cookies of its own."""
    contexts = []

    async def make() -> Page:
        context = await browser.new_context(
            base_url=site, viewport={"width": 390, "height": 800}, java_script_enabled=False
        )
        contexts.append(context)
        return await context.new_page()

    yield make
    for context in contexts:
        await context.close()


@pytest.fixture
async def ann(services: Services, tenant: Tenant) -> None:
    await add_ann(services, tenant)


async def mailed_link(page: Page, to: str, subject: str) -> str:
    """The path of the link in the newest such message; mail goes out after the answer that announces it."""
    async with asyncio.timeout(20):
        while True:
            await page.goto("/dev/mailbox")
            messages = page.get_by_role("article").filter(has_text=to).filter(has_text=subject)
            if await messages.count():
                return urlsplit(await messages.first.get_by_role("link").first.get_attribute("href") or "").path
            await asyncio.sleep(0.05)


def saas(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "saas.cli", *arguments], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


async def test_signing_in_looking_around_and_out(new_page: NewPage, ann: None) -> None:
    page = await new_page()
    await page.goto("/account")
    await expect(page).to_have_url(re.compile(r"/signin\?return_to=/account$"))
    await sign_in(page, password="not it at all")
    await expect(page.get_by_role("alert")).to_contain_text("is not right")
    await expect(page.get_by_label("E-mail")).to_have_value(EMAIL)
    await expect(page.get_by_label("Password")).to_have_value("")
    await screenshot(page, "walk/signin-refused")
    await sign_in(page)
    await expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    await screenshot(page, "walk/account")
    await page.get_by_label("Name").fill("Ann Ångström")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status")).to_have_text("Your name is saved.")
    await expect(page.get_by_label("Name")).to_have_value("Ann Ångström")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    await page.go_back()
    await page.goto("/account")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_ending_another_session_and_changing_the_password(new_page: NewPage, ann: None) -> None:
    here, elsewhere, third = await new_page(), await new_page(), await new_page()
    for page in (here, elsewhere, third):
        await sign_in(page)
    await here.goto("/account")
    await expect(here.get_by_role("listitem").filter(has_text="Chrome on Linux")).to_have_count(3)
    await here.get_by_role("button", name="End the session: Chrome on Linux").first.click()
    await expect(here.get_by_role("status")).to_have_text("The session has ended.")
    await here.get_by_label("Current password").fill(PASSWORD)
    await here.get_by_label("New password").fill(NEW_PASSWORD)
    await here.get_by_role("button", name="Change password").click()
    await expect(here.get_by_role("status")).to_contain_text("Your password is changed.")
    for page in (elsewhere, third):
        await page.goto("/account")
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await sign_in(third, password=NEW_PASSWORD)
    await expect(third.get_by_role("heading", name="Your account")).to_be_visible()


async def test_resetting_a_forgotten_password(new_page: NewPage, ann: None) -> None:
    page = await new_page()
    await page.goto("/signin")
    await page.get_by_role("link", name="Forgot your password?").click()
    await page.get_by_label("E-mail").fill(EMAIL)
    await page.get_by_role("button", name="Send the link").click()
    await expect(page.get_by_text("is on its way")).to_be_visible()
    link = await mailed_link(page, EMAIL, "Reset your password")
    await screenshot(page, "walk/mailbox")
    await page.goto(link)
    await page.get_by_label("New password").fill("password1234")
    await page.get_by_role("button", name="Save the new password").click()
    await expect(page.get_by_text("is tried first")).to_be_visible()
    await page.get_by_label("New password").fill(NEW_PASSWORD)
    await page.get_by_role("button", name="Save the new password").click()
    await expect(page.get_by_role("status")).to_contain_text("Sign in with the new one")
    await sign_in(page, password=NEW_PASSWORD)
    await expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    await page.goto(link)
    await expect(page.get_by_role("heading", name="This link does not work any more")).to_be_visible()


async def test_an_operator_invites_somebody_and_shuts_them_out_again(
    new_page: NewPage, tenant: Tenant, environment: dict[str, str]
) -> None:
    mailing = environment | {"SAAS_MAIL_MAILBOX": "true"}
    bob = ("--tenant", tenant.slug, "--email", "bob@people.example")
    await asyncio.to_thread(saas, mailing, "users", "invite", *bob)
    page = await new_page()
    await page.goto(await mailed_link(page, "bob@people.example", f"You are invited to {tenant.name}"))
    await page.get_by_label("Your name").fill("Bob")
    await page.get_by_label("Password").fill(PASSWORD)
    await screenshot(page, "walk/invitation")
    await page.get_by_role("button", name="Create my account").click()
    await expect(page.get_by_role("status")).to_have_text("Welcome! Your account is ready.")
    await asyncio.to_thread(saas, environment, "users", "disable", *bob)
    await page.reload()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_without_a_mailbox_there_is_no_mailbox_page(
    client_of: Callable[[Tenant], httpx.AsyncClient], tenant: Tenant
) -> None:
    assert (await client_of(tenant).get("/dev/mailbox")).status_code == 404
