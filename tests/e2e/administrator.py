"""Ann in Chromium, an administrator unless a test says otherwise: she signs in, and looks at what there is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, BrowserContext, Page

from saas.identity.passwords import hash_password
from saas.services import Services
from tenants.registry import Tenant
from tests.e2e.browser import barriers, look, overflow, screenshot

EMAIL, PASSWORD = "ann@people.example", "seven green lamps"


async def add_ann(services: Services, tenant: Tenant, *roles: str) -> None:
    password_hash = await hash_password(PASSWORD)
    async with services.database.tenant_session(tenant) as session:
        await services.users.create(
            session, tenant, email=EMAIL, name="Ann", roles=roles or ["member"], password_hash=password_hash
        )


@asynccontextmanager
async def visiting(
    browser: Browser, tenant: Tenant, port: int, *, scripts: bool = True, width: int = 1280
) -> AsyncIterator[BrowserContext]:
    """Cookies of her own, and paths that begin at the tenant's host."""
    context = await browser.new_context(
        base_url=f"http://{tenant.host}:{port}",
        java_script_enabled=scripts,
        reduced_motion="reduce",
        viewport={"width": width, "height": 800},
    )
    try:
        yield context
    finally:
        await context.close()


async def sign_in(page: Page, path: str = "/signin", *, email: str = EMAIL, password: str = PASSWORD) -> None:
    """At `path`, which sends whoever is not signed in to the form."""
    await page.goto(path)
    await fill_in(page, email, password)


async def fill_in(page: Page, email: str = EMAIL, password: str = PASSWORD) -> None:
    """The form that is open."""
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in", exact=True).click()


async def seen(page: Page, name: str, *, checked: bool = True) -> None:
    """The page fits on a phone by night and at a desk by day; the latter stays. `checked`: and has no barriers."""
    for width, dark in ((360, True), (1280, False)):
        await look(page, width, dark)
        assert await overflow(page) <= 0, (name, width)
        await screenshot(page, f"{name}-{width}-{'dark' if dark else 'light'}")
    assert not checked or await barriers(page) == []
