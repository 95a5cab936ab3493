"""An administrator sets how people sign in, how pages look and where they are reached, in Chromium; with scripts, and
without."""

import asyncio
import re
import socket
import struct
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, BrowserContext, FilePayload, Page, expect

from saas.services import Services
from tenants.registry import Tenant
from tests.conftest import MakeTenant
from tests.e2e.administrator import seen, sign_in, visiting
from tests.e2e.browser import complaints, look, screenshot
from tests.factories import OWNER_PASSWORD
from tests.unit.saas.console.settings_world import Dns, age

LONG = "Bundesverband der Donaudampfschifffahrtsgesellschaften und verwandter Betriebe"


@dataclass
class Site:
    """The application in this process, so that its name servers are the test's."""

    port: int
    dns: Dns


@pytest.fixture(scope="module")
async def site(app: FastAPI) -> AsyncIterator[Site]:
    before, app.state.txt = app.state.txt, Dns()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield Site(listener.getsockname()[1], app.state.txt)
        server.should_exit = True
        await serving
    app.state.txt = before


@pytest.fixture
async def context(
    request: pytest.FixtureRequest, browser: Browser, site: Site, tenant: Tenant
) -> AsyncIterator[BrowserContext]:
    scripts = getattr(request, "param", True)
    async with visiting(browser, tenant, site.port, scripts=scripts) as context:
        yield context


async def enter(page: Page, tenant: Tenant, path: str) -> None:
    """As the owner."""
    await sign_in(page, path, email=f"owner@{tenant.slug}.example", password=OWNER_PASSWORD)


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).click()


async def said(page: Page, words: str) -> None:
    await expect(page.get_by_role("status").first).to_contain_text(words)


def logo(width: int = 96, height: int = 48) -> FilePayload:
    """A PNG in one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes((11, 122, 117)) * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return {"name": "logo.png", "mimeType": "image/png", "buffer": content}


async def test_a_second_factor_is_required_after_a_look_at_what_that_does(
    context: BrowserContext, services: Services, tenant: Tenant
) -> None:
    page = await context.new_page()
    complained = complaints(page)
    await enter(page, tenant, "/console/security")
    await expect(page.get_by_text("has none yet").first).to_be_visible()
    await seen(page, "settings/security", checked=False)
    await age(services, tenant, 1)
    await page.get_by_role("link", name="Change the policy").click()
    await page.get_by_label("Password").fill(OWNER_PASSWORD)
    await press(page, "Confirm")
    await page.get_by_label("Administrators").check()
    await page.get_by_label("Characters of a new password").fill("3")
    await page.get_by_label("Allowed e-mail domains").fill("people.example\nnonsense")
    await press(page, "Review the changes")
    await expect(page.get_by_text("Enter a number from 10 to 64.").last).to_be_visible()
    await seen(page, "settings/policy-wrong", checked=False)
    complained.clear()  # the 422
    await page.get_by_label("Characters of a new password").fill("14")
    await page.get_by_label("Allowed e-mail domains").fill("people.example")
    await page.get_by_label("A session that nobody uses").select_option(label="1 hour")
    await page.get_by_label("Every session ends after").select_option(label="1 hour")
    await press(page, "Review the changes")
    await expect(page.get_by_text("You have no second factor yet.")).to_be_visible()
    await expect(page.get_by_text("Yours is one of them")).to_be_visible()
    await seen(page, "settings/policy-review", checked=False)
    await press(page, "Go on changing")
    await expect(page.get_by_label("Administrators")).to_be_checked()
    await page.get_by_label("Every session ends after").select_option(label="3 days")
    await seen(page, "settings/policy", checked=False)
    await press(page, "Review the changes")
    await press(page, "Save the policy")
    await said(page, "Saved. Second factor: required of administrators.")
    await seen(page, "settings/security-saved", checked=False)
    await page.get_by_role("link", name="See all keys").click()
    await expect(page.get_by_role("row")).to_have_count(2)
    await press(page, "Replace now the ES256 key")
    await said(page, "The next ES256 key is published.")
    await expect(page.get_by_role("row")).to_have_count(3)
    await seen(page, "settings/keys")
    assert complained == []


async def test_the_looks_follow_what_is_typed(context: BrowserContext, tenant: Tenant) -> None:
    page = await context.new_page()
    complained = complaints(page)
    await enter(page, tenant, "/console/branding")
    await seen(page, "settings/branding")
    await page.get_by_label("Name", exact=True).fill(LONG)
    await page.get_by_label("Colour", exact=True).fill("#ffe14d")
    sample = page.locator(".sample .button").first
    await expect(sample).to_have_css("background-color", "rgb(255, 225, 77)")
    await expect(sample).to_have_css("color", "rgb(0, 0, 0)")
    await expect(page.locator(".sample [data-name]").first).to_have_text(LONG)
    await seen(page, "settings/branding-typed", checked=False)
    await press(page, "Save")
    await said(page, "Saved.")
    await page.get_by_label("File", exact=True).set_input_files({**logo(), "buffer": bytes(70_000)})
    await expect(page.get_by_text("The file has 69 kB: at most 64 kB are allowed.")).to_be_visible()
    await press(page, "Upload")
    await expect(page.locator("[aria-invalid]")).to_be_focused()
    await seen(page, "settings/branding-wrong")
    complained.clear()  # the 422
    await page.get_by_label("File", exact=True).set_input_files(logo())
    await expect(page.locator(".sample [data-logo]").first).to_have_attribute("src", re.compile("^data:image/png"))
    await press(page, "Upload")
    await said(page, "The logo is on all pages")
    await seen(page, "settings/branding-logo")
    await press(page, "Remove the logo")
    await said(page, "The logo is removed.")
    assert complained == []


async def test_a_domain_is_added_and_proved(context: BrowserContext, site: Site, tenant: Tenant) -> None:
    page = await context.new_page()
    complained = complaints(page)
    await enter(page, tenant, "/console/domains")
    await expect(page.get_by_text("No domain of your own yet")).to_be_visible()
    await seen(page, "settings/domains-none")
    host = f"login.{tenant.slug}.donaudampfschifffahrtsgesellschaften.example"
    await page.get_by_label("Domain", exact=True).fill(host)
    await press(page, "Add the domain")
    await said(page, f"{host} is added.")
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    await press(page, "Copy the value of the TXT record")
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    value = await page.evaluate("navigator.clipboard.readText()")
    await press(page, f"Look now for the record of {host}")
    await expect(page.get_by_role("alert")).to_contain_text("There is no such TXT record yet.")
    await seen(page, "settings/domains-waiting", checked=False)
    complained.clear()  # the 409
    site.dns.records[f"_saas-challenge.{host}"] = [value]
    await press(page, f"Look now for the record of {host}")
    await said(page, f"{host} is proved")
    await page.locator("summary", has_text="Remove").click()
    await seen(page, "settings/domains-proved")
    await press(page, f"Remove the domain {host}")
    await said(page, f"{host} is removed.")
    assert complained == []


@pytest.mark.parametrize("context", [False], indirect=True, ids=["without scripts"])
async def test_all_of_it_without_scripts_on_a_phone(context: BrowserContext, site: Site, tenant: Tenant) -> None:
    page = await context.new_page()
    await look(page, 360, False)
    await enter(page, tenant, "/console/security/policy")
    await page.get_by_label("Everyone").check()
    await press(page, "Review the changes")
    await press(page, "Save the policy")
    await said(page, "required of everyone")
    await page.goto("/console/branding")
    await page.get_by_label("Colour", exact=True).fill("0b7a75")
    await press(page, "Preview")
    await said(page, "nothing is saved yet")
    await expect(page.locator(".sample .button").first).to_have_css("background-color", "rgb(11, 122, 117)")
    await expect(page.locator("[data-picker]")).to_be_hidden()
    await screenshot(page, "settings/branding-preview-360-light")
    await press(page, "Save")
    await said(page, "Saved.")
    await page.get_by_label("File", exact=True).set_input_files(logo())
    await press(page, "Upload")
    await said(page, "The logo is on all pages")
    await page.goto("/console/domains")
    host = f"login.{tenant.slug}.example"
    await page.get_by_label("Domain", exact=True).fill(host)
    await press(page, "Add the domain")
    site.dns.records[f"_saas-challenge.{host}"] = [await page.locator("#value-1").inner_text()]
    await press(page, f"Look now for the record of {host}")
    await said(page, f"{host} is proved")


async def test_a_plan_without_domains_says_so(browser: Browser, site: Site, make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(plan="free")
    context = await browser.new_context(base_url=f"http://{tenant.host}:{site.port}")
    page = await context.new_page()
    await enter(page, tenant, "/console/domains")
    await expect(page.get_by_role("heading", name="Your plan does not include custom domains")).to_be_visible()
    await seen(page, "settings/domains-off", checked=False)
    await context.close()
