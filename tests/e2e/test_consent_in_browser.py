"""A person lets an app in, or does not, in Chromium without JavaScript; and takes the access back."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from saas.identity.passwords import hash_password
from saas.services import Services
from tenants.registry import Tenant
from tests.e2e.administrator import EMAIL, PASSWORD, fill_in
from tests.e2e.browser import look, overflow, screenshot, serving
from tests.factories import AppFactory
from tests.processes import Server
from tests.unit.saas.oauth.flow import App

SCOPE = "openid email offline_access projects:read"
#: As people hold them: a phone at night, and a desk by day.
VIEWS = [(360, True), (1280, False)]


class Notes:
    """The app of somebody else, on a host and port of its own."""

    def __init__(self) -> None:
        #: What it was told, in its order.
        self.answers: list[dict[str, str]] = []
        self.site = Starlette(routes=[Route("/callback", self.callback)])

    async def callback(self, request: Request) -> Response:
        self.answers.append(dict(request.query_params))
        icon = '<link rel="icon" href="data:,">'
        return HTMLResponse(f"<!doctype html><html lang=en>{icon}<title>Notes</title><h1>Welcome to Notes</h1>")


@pytest.fixture(scope="module")
def notes() -> Iterator[tuple[Notes, int]]:
    app = Notes()
    with serving(app.site) as port:
        yield app, port


class Walk:
    """Ann's browser, the app, and the tenant between them."""

    def __init__(self, page: Page, server: Server, tenant: Tenant, notes: Notes, app: App) -> None:
        self.page, self.server, self.tenant, self.notes, self.app = page, server, tenant, notes, app
        self.site = f"http://{tenant.host}:{server.port}"

    async def go(self, scope: str = SCOPE, **changed: str) -> None:
        """As the app sends its visitors."""
        with self.server.client(self.tenant) as http:
            url = http.build_request("GET", "/oauth2/authorize", params=self.app.request(scope=scope, **changed)).url
        await self.page.goto(f"{self.site}{url.raw_path.decode()}")

    async def sign_in(self) -> None:
        await expect(self.page.get_by_text("to continue to Notes")).to_be_visible()
        await fill_in(self.page)

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def arrived(self) -> dict[str, str]:
        """What the app was told, once the browser is there."""
        await expect(self.page.get_by_role("heading", name="Welcome to Notes")).to_be_visible()
        answer = self.notes.answers.pop()
        assert (answer["state"], answer["iss"], self.notes.answers) == (self.app.state, self.tenant.issuer, [])
        return answer

    def token(self, form: dict[str, str]) -> dict[str, Any]:
        """What the token endpoint says to the app."""
        with self.server.client(self.tenant) as http:
            answer: dict[str, Any] = http.post("/oauth2/token", data=form).json()
            return answer


@pytest.fixture
async def walk(
    browser: Browser, server: Server, services: Services, tenant: Tenant, notes: tuple[Notes, int]
) -> AsyncIterator[Walk]:
    app, port = notes
    app.answers.clear()
    callback = f"http://localhost:{port}/callback"
    definition = AppFactory(scopes=[*SCOPE.split(), "projects:write"], redirect_uris=[callback])
    password_hash = await hash_password(PASSWORD)
    async with services.database.tenant_session(tenant) as session:
        ann = {"email": EMAIL, "name": "Ann Example", "password_hash": password_hash}
        await services.users.create(session, tenant, roles=["admin"], **ann)
        made = await services.clients.create(session, tenant, definition)
    context = await browser.new_context(java_script_enabled=False, reduced_motion="reduce")
    yield Walk(await context.new_page(), server, tenant, app, App(*made, callback))
    await context.close()


@pytest.mark.parametrize(("width", "dark"), VIEWS, ids=["phone at night", "desk by day"])
async def test_letting_an_app_in_and_taking_the_access_back(walk: Walk, width: int, dark: bool) -> None:
    page, name = walk.page, f"walk/consent-{width}"
    await look(page, width, dark)
    await walk.go()
    await screenshot(page, f"{name}-signin")
    await walk.sign_in()
    await expect(page.get_by_role("heading", name="Allow Notes?")).to_be_visible()
    await expect(page.get_by_text(EMAIL)).to_be_visible()
    await expect(page.get_by_text("an app on this device")).to_be_visible()
    assert await overflow(page) <= 0
    await screenshot(page, name)
    await walk.press("Allow")
    tokens = walk.token(walk.app.redemption((await walk.arrived())["code"]))
    assert set(tokens["scope"].split()) == set(SCOPE.split())
    await walk.go()
    assert "code" in await walk.arrived()
    await walk.go(f"{SCOPE} projects:write")
    await expect(page.get_by_text("It already has access")).to_be_visible()
    await expect(page.get_by_text("Create, change and delete projects")).to_be_visible()
    assert not walk.notes.answers
    assert await overflow(page) <= 0
    await screenshot(page, f"{name}-more")
    await page.goto(f"{walk.site}/account")
    await expect(page.get_by_role("listitem").filter(has_text="Notes")).to_be_visible()
    assert await overflow(page) <= 0
    await screenshot(page, f"{name}-account")
    fresh = walk.token(walk.app.refresh(tokens["refresh_token"]))
    await page.get_by_role("button", name="Remove the access of Notes").click()
    await expect(page.get_by_role("status")).to_have_text("The app has no access any more.")
    await expect(page.get_by_text("No app has access to your account.")).to_be_visible()
    assert walk.token(walk.app.refresh(fresh["refresh_token"]))["error"] == "invalid_grant"
    with walk.server.client(walk.tenant) as http:
        bearer = {"Authorization": f"Bearer {fresh['access_token']}"}
        assert http.get("/oauth2/userinfo", headers=bearer).status_code == 401
    await walk.go()
    await expect(page.get_by_role("heading", name="Allow Notes?")).to_be_visible()


async def test_denying_an_app(walk: Walk) -> None:
    await walk.go()
    await walk.sign_in()
    await walk.press("Deny")
    assert (await walk.arrived())["error"] == "access_denied"
    await walk.go()
    await expect(walk.page.get_by_role("heading", name="Allow Notes?")).to_be_visible()


async def test_letting_an_app_in_by_keyboard(walk: Walk) -> None:
    await walk.go()
    await expect(walk.page.get_by_label("E-mail")).to_be_focused()
    await walk.page.keyboard.type(EMAIL)
    await walk.page.keyboard.press("Tab")
    await walk.page.keyboard.type(PASSWORD)
    await walk.page.keyboard.press("Enter")
    await expect(walk.page.get_by_role("heading", name="Allow Notes?")).to_be_visible()
    for _ in range(12):
        await walk.page.keyboard.press("Tab")
        if await walk.page.locator("button:focus").filter(has_text=re.compile("^Allow$")).count():
            break
    await walk.page.keyboard.press("Enter")
    assert "code" in await walk.arrived()


async def test_an_address_that_is_not_the_apps_is_a_page_of_ours(walk: Walk) -> None:
    await look(walk.page, 360, True)
    await walk.go(redirect_uri=walk.app.redirect_uri + "/elsewhere")
    await expect(walk.page.get_by_role("heading", name="This link does not work")).to_be_visible()
    assert walk.page.url.startswith(walk.site)
    await screenshot(walk.page, "walk/consent-undeliverable")
