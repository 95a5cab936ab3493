"""A real browser for tests: Debian's Chromium under Playwright, and what every page is held to."""

import itertools
import os
import shutil
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright
from starlette.types import ASGIApp

#: Opens a page that is `width` px wide, in dark colours or light, with cookies of its own.
PageAt = Callable[[int, bool], Awaitable[Page]]

SCREENSHOTS = Path(__file__).parents[2] / ".screenshots"
_HEIGHT = 800
_ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync "
    # One process draws all tenants' pages: to start one for each takes longer than to draw them.
    "--disable-site-isolation-trials --renderer-process-limit=1 --in-process-gpu "
    # A page is left before it is worth while to optimize its code.
    "--js-flags=--no-turbofan,--no-maglev"
).split()
#: What finds barriers, as a script.
AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
_RUN_AXE = """async rules => {
    const options = {resultTypes: ["violations"], ...(rules.length ? {runOnly: {type: "rule", values: rules}} : {})};
    const {violations} = await axe.run(document, options);
    return violations.flatMap(({id, help, nodes}) => nodes.map(node => `${id}: ${help}: ${node.html}`));
}"""


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium. It resolves `*.localhost` to this machine by itself.

    The test command must pass where there is no more than Python; what checks a change before it lands has a browser.
    """
    # Of the two that Debian builds, the one without windows needs half the time.
    program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if program is None:
        need = "needs Chromium: apt-get update && apt-get install -y --no-install-recommends chromium"
        pytest.fail(need) if os.environ.get("CI") else pytest.skip(need)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def page_at(browser: Browser) -> AsyncIterator[PageAt]:
    async with AsyncExitStack() as stack:

        async def open_page(width: int, dark: bool) -> Page:
            return await stack.enter_async_context(opened(browser, width, dark))

        yield open_page


@asynccontextmanager
async def opened(browser: Browser, width: int, dark: bool) -> AsyncIterator[Page]:
    """A page of a visitor of its own, without cookies."""
    context = await browser.new_context(
        viewport={"width": width, "height": _HEIGHT},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    try:
        yield await context.new_page()
    finally:
        await context.close()


@contextmanager
def serving(app: ASGIApp) -> Iterator[int]:
    """Serve `app` on 127.0.0.1 at the port that this yields, from a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


async def look(page: Page, width: int, dark: bool) -> None:
    """Change how an open page is looked at."""
    await page.set_viewport_size({"width": width, "height": _HEIGHT})
    await page.emulate_media(color_scheme="dark" if dark else "light")


def complaints(page: Page) -> list[str]:
    """A list that fills with what the browser complains of from now on: errors, refused resources, CSP violations."""
    found: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            found.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


async def barriers(page: Page, *rules: str) -> list[str]:
    """What axe finds wrong for people who use a screen reader, a keyboard, or need contrast; by all rules or these."""
    if await page.evaluate("typeof axe") == "undefined":
        await page.evaluate(AXE)
    found: list[str] = await page.evaluate(_RUN_AXE, list(rules))
    return found


async def overflow(page: Page) -> int:
    """By how many px the page is wider than its window."""
    width: int | None = None
    while width is None:  # on its way to another page there is no document for a moment
        await page.wait_for_load_state()
        width = await page.evaluate(
            "document.documentElement && document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
    return width


async def screenshots(page: Page, name: str, widths: Sequence[int]) -> None:
    """At each width in light and dark; nothing is done without SCREENSHOTS."""
    for width, dark in itertools.product(widths, (False, True)) if _wanted() else ():
        await look(page, width, dark)
        await screenshot(page, f"{name}-{width}-{'dark' if dark else 'light'}")


async def screenshot(page: Page, name: str) -> None:
    """Into .screenshots/, for people to look at, where the environment has SCREENSHOTS; `name` may hold folders."""
    if not _wanted():
        return
    path = SCREENSHOTS / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=path, full_page=True)


def _wanted() -> bool:
    return bool(os.environ.get("SCREENSHOTS"))
