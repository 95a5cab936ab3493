"""A person protects their account in Chromium, with an authenticator of Chromium's own and an app; and comes back."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect
from pyotp import TOTP

from saas.identity.policy import Policy
from saas.kit.clock import utc_now
from saas.services import Services
from tenants.registry import Tenant
from tests.e2e.administrator import add_ann, seen, sign_in, visiting
from tests.e2e.browser import complaints
from tests.e2e.visitor import Wire
from tests.factories import CALLBACK, AppFactory
from tests.processes import Server, free_port, run_server
from tests.unit.saas.oauth.flow import App, claims_of

#: A fingerprint reader in a laptop, say, whose owner always succeeds.
_READER = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def own_server(environment: dict[str, str], services: Services) -> Iterator[Server]:
    """Its public address names its port: passkeys are for one origin."""
    port = free_port()
    with run_server(environment | {"SAAS_PUBLIC_URL": f"http://localhost:{port}"}, port=port) as running:
        yield running


@pytest.fixture
async def context(browser: Browser, own_server: Server, tenant: Tenant) -> AsyncIterator[BrowserContext]:
    async with visiting(browser, tenant, own_server.port) as context:
        yield context


@pytest.fixture
async def notes(services: Services, tenant: Tenant) -> App:
    """An app, where Ann works; a second factor is required of everyone there."""
    await add_ann(services, tenant)
    async with services.database.tenant_session(tenant) as session:
        await services.policies.change(session, tenant, Policy(second_factor="everyone"))
        made = await services.clients.create(session, tenant, AppFactory(scopes=["openid"], first_party=True))
    return App(*made, CALLBACK)


async def sign_out(page: Page) -> None:
    await page.goto("/account")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()


async def code_of(page: Page, steps: int = 0) -> str:
    """What an app shows that has the key of this page, or will in so many steps."""
    await page.get_by_text("Cannot scan it?").click()
    key = (await page.locator("details .id").inner_text()).replace(" ", "")
    return TOTP(key).at(utc_now() + steps * timedelta(seconds=30))


async def told_of(context: BrowserContext, own_server: Server, tenant: Tenant, app: App) -> dict[str, Any]:
    """The ID token that an app gets of whoever is signed in to this browser."""
    cookies = {cookie["name"]: cookie["value"] for cookie in await context.cookies()}
    site = f"http://{tenant.host}:{own_server.port}"
    async with httpx.AsyncClient(transport=Wire(own_server.port), base_url=site, cookies=cookies) as http:
        sent = await http.get("/oauth2/authorize", params=app.request(scope="openid"))
        code = parse_qs(urlsplit(sent.headers["location"]).query)["code"][0]
        tokens = (await http.post("/oauth2/token", data=app.redemption(code))).json()
    return claims_of(tokens["id_token"])


async def test_protecting_an_account_and_coming_back(
    context: BrowserContext, own_server: Server, tenant: Tenant, notes: App
) -> None:
    page = await context.new_page()
    complained = complaints(page)
    devices = await context.new_cdp_session(page)
    await devices.send("WebAuthn.enable")
    reader = await devices.send("WebAuthn.addVirtualAuthenticator", {"options": _READER})
    await sign_in(page)
    await expect(page.get_by_role("heading", name="Protect your account")).to_be_visible()
    await seen(page, "walk/factors-required")
    await page.get_by_label("Enter the code").fill(await code_of(page))
    await page.get_by_role("button", name="Add the app").click()
    await expect(page.get_by_role("heading", name="Keep your recovery codes")).to_be_visible()
    await expect(page.locator("#codes li")).to_have_count(10)
    recovery = await page.locator("#codes li").first.inner_text()
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Copy").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert (await page.evaluate("navigator.clipboard.readText()")).split("\n")[0] == recovery
    await seen(page, "walk/factors-codes")
    await page.get_by_role("link", name="I have kept them").click()
    await page.get_by_role("link", name="Manage").click()
    await page.get_by_role("link", name="Add a passkey").click()
    await page.get_by_label("Name").fill("My laptop")
    await page.get_by_role("button", name="Create a passkey").click()
    await expect(page.get_by_role("status")).to_contain_text("Your passkey is added.")
    await expect(page.get_by_text("My laptop").first).to_be_visible()
    await seen(page, "walk/factors-security")
    await sign_out(page)
    await page.goto("/signin?return_to=/account/security")
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.get_by_role("heading", name="Sign-in security")).to_be_visible()
    await sign_out(page)
    await sign_in(page)
    await expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    await seen(page, "walk/factors-second-step")
    await page.get_by_role("button", name="Use your passkey").click()
    await expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    # RFC 8176: a password, then a key in hardware whose owner it has checked.
    assert (await told_of(context, own_server, tenant, notes))["amr"] == ["pwd", "hwk", "user", "mfa"]
    await sign_out(page)
    # The reader is lost, and with it the passkey; a recovery code is left.
    await devices.send("WebAuthn.setUserVerified", {**reader, "isUserVerified": False})
    await page.goto("/signin")
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.get_by_role("alert")).to_contain_text("That did not work")
    await sign_in(page)
    await page.get_by_label("Code").fill(recovery)
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    assert complained == []
