"""An administrator sets up apps in Chromium, one of each kind, and puts them out; also where no script runs."""

import re
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect
from sqlalchemy import text

from saas.oauth.kinds import problem_with_redirect
from saas.services import Services
from tenants.registry import Tenant
from tests.conftest import MakeTenant
from tests.e2e.administrator import PASSWORD, add_ann, seen, sign_in, visiting
from tests.e2e.browser import complaints
from tests.processes import Server

_LONG = "Bundesverband der Donaudampfschifffahrtsgesellschaften und verwandter Betriebe eV"
_CONSENT = (
    "INSERT INTO oauth_consents (user_id, client, scopes, created_at, updated_at)"
    " SELECT users.id, oauth_clients.id, '{openid,email,projects:read}', now(), now() FROM users, oauth_clients"
    " ON CONFLICT DO NOTHING"
)
#: Typed one after the other: what the page says of them while they are typed is what the server says.
_ADDRESSES = [
    "https://notes.example/callback",
    "http://notes.example/callback",
    "http://localhost:3000/callback",
    "http://[::1]:8080",
    "https://Notes.example/",
    "https://a@notes.example/",
    "https://notes.example:99999/",
    "https://notes.example/#fragment",
    "https://*.notes.example/",
    "https://notes.example/%zz",
    "https:/notes.example",
    "notes:/callback",
    "com.example.notes:/callback",
    "com.example.notes://a@b/",
    "not an address",
    f"https://notes.example/{'x' * 2000}",
]


@pytest.fixture(scope="module")
async def acme(services: Services, make_tenant: MakeTenant) -> Tenant:
    tenant = await make_tenant()
    await add_ann(services, tenant, "owner")
    return tenant


@pytest.fixture
async def context(
    request: pytest.FixtureRequest, browser: Browser, acme: Tenant, server: Server
) -> AsyncIterator[BrowserContext]:
    scripts = getattr(request, "param", True)
    async with visiting(browser, acme, server.port, scripts=scripts) as context:
        yield context


async def add(page: Page, kind: str, name: str, addresses: str = "") -> None:
    await page.goto("/console/apps")
    await page.get_by_role("link", name=re.compile("^Add ")).click()
    await page.get_by_role("link", name=kind, exact=True).click()
    await page.get_by_label("Name", exact=True).fill(name)
    if addresses:
        await page.get_by_label("Where people come back to").fill(addresses)
    if kind == "Machine":
        await page.get_by_text("Projects", exact=True).click()
        await page.get_by_label("See the projects").check()
    await page.get_by_role("button", name="Add the app").click()


async def test_a_web_app_of_somebody_who_has_never_made_one(context: BrowserContext) -> None:
    page = await context.new_page()
    complained = complaints(page)
    await sign_in(page, "/console/apps")
    await expect(page.get_by_text("There are no apps yet")).to_be_visible()
    await seen(page, "console/apps-none")
    await page.goto("/console/consents")
    await seen(page, "console/apps-consents-none")
    await page.goto("/console/apps/new")
    await seen(page, "console/apps-kinds")

    # All that is wrong is told in place, with its line; what was typed stays.
    await add(page, "Web app", " ", "https://notes.example/callback\n\nhttp://notes.example/")
    await expect(page.get_by_role("alert")).to_contain_text("Please look at this again")
    await expect(page.locator("#redirect_uris-error")).to_contain_text("Line 3: http is for this device alone")
    await seen(page, "console/apps-wrong")
    complained.clear()  # a form that is refused is answered by 422
    area = page.get_by_label("Where people come back to")
    await area.fill("https://notes.example/callback\nhttp://notes.example/")
    await expect(page.locator(".live").first).to_contain_text("Line 2: http is for this device alone")
    await check_addresses(page)
    await area.fill("https://notes.example/callback")
    await page.get_by_label("Name", exact=True).fill(_LONG)
    await page.get_by_role("button", name="Add the app").click()
    secret = await told_secret(page)
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Copy the secret").click()
    await expect(page.get_by_role("button", name="Copied the secret")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == secret
    await seen(page, "console/apps-secret")
    await page.reload()
    await expect(page.get_by_role("heading", name="Its secret")).to_have_count(0)

    # The address that it shows is complete: it leads to the question whether to let the app in.
    url = await page.get_by_role("link", name="Open the sign-in").get_attribute("href")
    assert set(parse_qs(urlsplit(url or "").query)) >= {"code_challenge", "state", "scope", "redirect_uri"}
    await page.goto(f"/oauth2/authorize?{urlsplit(url or '').query}")
    await expect(page.get_by_role("heading", name=f"Allow {_LONG}?")).to_be_visible()

    assert complained == []


async def test_a_machine_whose_secrets_overlap(context: BrowserContext, acme: Tenant, server: Server) -> None:
    page = await context.new_page()
    await sign_in(page, "/console/apps")
    # Its secret is good for a token, also the old one for as long as it was said.
    await add(page, "Machine", "Nightly report")
    first = await told_secret(page)
    client_id = await page.locator("#client-id").inner_text()
    assert token(server, acme, client_id, first) == 200
    await page.get_by_role("link", name="Give it a new secret").click()
    await seen(page, "console/apps-rotate")
    await page.get_by_label("The old secret works").select_option("168")
    await page.get_by_role("button", name="Make a new secret").click()
    second = await told_secret(page)
    await expect(page.get_by_text("The old one still works until")).to_be_visible()
    assert (token(server, acme, client_id, first), token(server, acme, client_id, second)) == (200, 200)
    await seen(page, "console/apps-rotated")


async def test_apps_that_keep_no_secret_and_who_lets_them_in(
    context: BrowserContext, services: Services, acme: Tenant
) -> None:
    page = await context.new_page()
    complained = complaints(page)
    await sign_in(page, "/console/apps")
    for kind, addresses in (
        ("Single-page app", "http://localhost:3000/"),
        ("Mobile or desktop app", "com.example.notes:/back"),
        ("Device without a browser", ""),
    ):
        await add(page, kind, f"Notes ({kind})", addresses)
        await expect(page.get_by_text("It cannot: it could keep no secret")).to_be_visible()
        await expect(page.get_by_role("heading", name="Its secret")).to_have_count(0)
    await seen(page, "console/apps-device")
    await page.get_by_role("link", name="Change").click()
    await page.get_by_label("Name", exact=True).fill("Living room")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="Living room", level=1)).to_be_visible()

    async with services.database.tenant_session(acme) as session:
        await session.execute(text(_CONSENT))
    await page.goto("/console/apps")
    rows = page.get_by_role("row").filter(has_text="Living room")
    await expect(rows).to_contain_text("Device without a browser")
    await seen(page, "console/apps-list")
    await page.goto("/console/consents")
    await seen(page, "console/apps-consents")
    await page.get_by_label("Person").fill("ANN@")
    await page.get_by_role("button", name="Find").click()
    await put_out(page, "Living room")
    await expect(rows).to_have_count(0)

    assert complained == []


async def test_to_delete_one_takes_a_password_where_the_sign_in_is_old(
    context: BrowserContext, services: Services, acme: Tenant
) -> None:
    page = await context.new_page()
    await sign_in(page, "/console/apps")
    await add(page, "Web app", "Old wiki", "https://wiki.example/")
    await told_secret(page)
    web = page.url
    async with services.database.tenant_session(acme) as session:
        await session.execute(text(_CONSENT))
        await session.execute(text("UPDATE sessions SET authenticated_at = now() - interval '1 hour'"))
    await page.get_by_role("link", name="Delete this app").click()
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Confirm").click()
    await expect(page.get_by_text("the access that 2 people have given it")).to_be_visible()
    await seen(page, "console/apps-delete")
    await page.get_by_role("button", name="Delete the app").click()
    await expect(page.get_by_role("status")).to_contain_text("Old wiki is deleted.")
    await page.goto(web)
    await expect(page.get_by_role("heading", name="This page does not exist")).to_be_visible()


async def check_addresses(page: Page) -> None:
    for address in _ADDRESSES:
        said = await page.evaluate("([uri, kind]) => problemWith(uri, kind)", [address, "web"])
        assert (said is None) is (problem_with_redirect(address, "web") is None), (address, said)


async def told_secret(page: Page) -> str:
    await expect(page.get_by_role("heading", name="Its secret")).to_be_visible()
    return await page.locator("#secret").inner_text()


async def put_out(page: Page, app: str) -> None:
    row = page.get_by_role("row").filter(has_text=app)
    await row.locator(".confirm > summary").click()
    await row.get_by_role("button", name="Put it out").click()
    await expect(page.get_by_role("status")).to_contain_text("The app is put out.")


def token(server: Server, tenant: Tenant, client_id: str, secret: str) -> int:
    with server.client(tenant) as http:
        answer: httpx.Response = http.post(
            "/oauth2/token", data={"grant_type": "client_credentials"}, auth=(client_id, secret)
        )
        return answer.status_code


@pytest.mark.parametrize("context", [False], indirect=True, ids=["without-scripts"])
async def test_all_of_it_without_scripts(context: BrowserContext, acme: Tenant, server: Server) -> None:
    page = await context.new_page()
    await sign_in(page, "/console/apps")
    await add(page, "Web app", "Wiki", "http://wiki.example/")
    await expect(page.locator("#redirect_uris-error")).to_contain_text("Line 1: http is for this device alone")
    await page.get_by_label("Where people come back to").fill("https://wiki.example/")
    await page.get_by_role("button", name="Add the app").click()
    await told_secret(page)
    await expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    await page.get_by_role("link", name="Give it a new secret").click()
    await page.get_by_role("button", name="Make a new secret").click()
    await told_secret(page)
    await page.locator("summary").filter(has_text="Revoke all its tokens").click()
    await page.get_by_label("Ask people again").check()
    await page.get_by_role("button", name="Revoke them").click()
    await expect(page.get_by_role("status")).to_contain_text(
        "All tokens that Wiki had are revoked. People will be asked"
    )
    await page.get_by_role("link", name="Delete this app").click()
    await page.get_by_role("button", name="Delete the app").click()
    await expect(page.get_by_role("status")).to_contain_text("Wiki is deleted.")
