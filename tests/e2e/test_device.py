"""A device on one side, a person in Chromium without JavaScript on the other, at a phone's width and a desk's."""

import re
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from saas.services import Services
from tenants.registry import Tenant
from tests.e2e.administrator import add_ann, fill_in
from tests.e2e.browser import overflow, screenshot
from tests.factories import AppFactory
from tests.processes import Server

GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture
async def television(services: Services, tenant: Tenant) -> dict[str, str]:
    """The form by which a device names itself; its tenant has Ann, too."""
    await add_ann(services, tenant)
    definition = AppFactory(
        device=True,
        name="Television",
        scopes=["openid", "email", "offline_access", "projects:read"],
        auth_method="none",
    )
    async with services.database.tenant_session(tenant) as session:
        made = await services.clients.create(session, tenant, definition)
    return {"client_id": made.client_id}


@pytest.mark.parametrize("width", [360, 1280])
async def test_typing_the_code_of_a_device(
    browser: Browser, server: Server, tenant: Tenant, television: dict[str, str], width: int
) -> None:
    context = await browser.new_context(viewport={"width": width, "height": 800}, java_script_enabled=False)
    page = await context.new_page()
    with server.client(tenant) as device:
        codes: dict[str, Any] = device.post("/oauth2/device_authorization", data=television).json()
        await page.goto(f"http://{tenant.host}:{server.port}/device")
        await expect(page).to_have_url(re.compile(r"/signin\?return_to=%2Fdevice$"))
        await fill_in(page)
        await expect(page.get_by_role("heading", name="Connect a device")).to_be_visible()
        await expect(page.get_by_label("Code")).to_be_focused()
        await page.keyboard.type("BBBB BBBB")
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Code")).to_be_focused()
        await expect(page.get_by_text("This code is not right")).to_be_visible()
        assert await overflow(page) <= 0
        await screenshot(page, f"walk/device-{width}")
        await page.get_by_label("Code").fill(codes["user_code"].lower().replace("-", ""))
        await page.get_by_role("button", name="Continue").click()
        await expect(page.get_by_role("heading", name="Connect Television?")).to_be_visible()
        await expect(page.get_by_text(codes["user_code"])).to_be_visible()
        await screenshot(page, f"walk/device-confirm-{width}")
        await page.get_by_role("button", name="Allow").click()
        await expect(page.get_by_role("heading", name="Television is connected")).to_be_visible()
        await screenshot(page, f"walk/device-done-{width}")
        poll = {"grant_type": GRANT, "device_code": codes["device_code"], **television}
        assert "refresh_token" in device.post("/oauth2/token", data=poll).json()
    await page.get_by_role("link", name="your account").click()
    await expect(page.get_by_text("Television", exact=True)).to_be_visible()
    await context.close()
