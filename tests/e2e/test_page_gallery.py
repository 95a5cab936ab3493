"""Every page at phone and desktop width, in light and dark: it fits, it can be read, a keyboard reaches all of it."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page
from playwright.async_api import Request as PageRequest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from saas.web.assets import asset_routes
from saas.web.csrf import Csrf
from saas.web.pages import render
from tests.e2e.browser import AXE, barriers, complaints, look, opened, overflow, screenshots, serving
from tests.e2e.gallery import SAMPLES, Sample
from tests.factories import TenantFactory

WIDTHS = (360, 1280)
#: Bytes of a page and all it loads, uncompressed; the fullest account page is the largest.
MAX_WEIGHT = 60_000
_NAMES = {
    "acme": "Acme",
    "lemon": "Lemon & Co",
    "ink": "Ink <Press>",
    "long": "Donaudampfschifffahrtsgesellschaft Österreich-Ungarn",
}
_ACCENTS = {"lemon": "#ffe14d", "ink": "#161616", "long": "#0b7a75"}
#: Not what is folded away.
_FOCUSABLE = (
    ":is(a[href], button, input:not([type=hidden]):not([hidden]), select, textarea, summary)"
    ":not(details:not([open]) > form *):not([type=radio]:not(:checked))"
)
#: Those of them that this width shows.
_SHOWN = "[...document.querySelectorAll(selector)].filter(each => each.checkVisibility())"
#: Stops of a day: its parts, and what opens the calendar.
_PARTS = 4
#: From now on, keep of each element that gets the focus: its place among all that can have it, and how it shows.
_FOLLOW = f"""selector => {{
    window.focused = [];
    addEventListener("focusin", ({{target: element}}) => {{
        const style = getComputedStyle(element), box = element.getBoundingClientRect();
        focused.push({{
            place: {_SHOWN}.indexOf(element),
            shown: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2
                && box.width > 8 && box.height > 8,
            markup: element.outerHTML.slice(0, 120),
        }});
    }});
    const found = {_SHOWN};
    return {{count: found.length, dates: found.filter(each => each.type === "date").length}};
}}"""
#: The fullest sample of each template: what it shows, a keyboard has to reach.
_FULLEST = {sample.template: sample for sample in sorted(SAMPLES, key=lambda sample: len(repr(sample.context)))}


class Tenants:
    """Puts the gallery's tenant of the request's host into the scope, as the resolver does."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            slug = dict(scope["headers"])[b"host"].decode().partition(".")[0]
            if slug in _NAMES:
                scope["tenant"] = TenantFactory(slug=slug, name=_NAMES[slug], accent=_ACCENTS.get(slug))
        await self.app(scope, receive, send)


async def _show(request: Request) -> Response:
    sample = next(sample for sample in SAMPLES if sample.name == request.path_params["name"])
    return render(request, sample.template, scripts=True, **sample.context)


@pytest.fixture(scope="module")
def gallery() -> Iterator[int]:
    """The port of a server that shows every sample at `/<its name>`."""
    app = Starlette(routes=[*asset_routes, Route("/{name}", _show)])
    app.state.csrf = Csrf(bytes(32), secure=False)
    app.add_middleware(Tenants)
    with serving(app) as port:
        yield port


@pytest.fixture(scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """One for all samples, which keep nothing in it. It loads everything anew, as for somebody's first visit."""
    async with opened(browser, WIDTHS[0], False) as page:
        session = await page.context.new_cdp_session(page)
        await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        await page.add_init_script(AXE)  # sent once, and not for each sample
        yield page


@pytest.fixture(scope="module")
def complained(page: Page) -> list[str]:
    return complaints(page)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
async def test_a_page_fits_and_has_no_barriers(gallery: int, page: Page, complained: list[str], sample: Sample) -> None:
    """On a phone by day and at a desk by night: neither the width nor the colours depend on the other."""
    complained.clear()
    await look(page, WIDTHS[0], False)
    weight = await _open(page, f"http://{sample.host}.localhost:{gallery}/{sample.name}")
    assert weight < MAX_WEIGHT
    assert await barriers(page) == []
    assert await overflow(page) == 0
    await look(page, WIDTHS[1], True)
    assert await barriers(page, "color-contrast", "link-in-text-block") == []
    assert await overflow(page) == 0
    assert complained == []
    await screenshots(page, f"gallery/{sample.name}", WIDTHS)


@pytest.mark.parametrize("sample", _FULLEST.values(), ids=lambda sample: sample.name)
async def test_the_keyboard_reaches_everything_in_order(gallery: int, page: Page, sample: Sample) -> None:
    await look(page, WIDTHS[0], False)
    await _open(page, f"http://{sample.host}.localhost:{gallery}/{sample.name}")
    await page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    stops: dict[str, int] = await page.evaluate(_FOLLOW, _FOCUSABLE)
    await page.locator(".skip").focus()
    for _ in range(stops["count"] - 1 + stops["dates"] * (_PARTS - 1)):
        await page.keyboard.press("Tab")
    focused: list[dict[str, Any]] = await page.evaluate("focused")
    assert [stop["place"] for stop in focused] == list(range(stops["count"])), focused[-1]["markup"]
    assert [stop["markup"] for stop in focused if not stop["shown"]] == []


@pytest.mark.parametrize(("host", "colour"), [("acme", "rgb(255, 255, 255)"), ("lemon", "rgb(0, 0, 0)")])
async def test_text_on_the_accent_follows_the_accent(gallery: int, page: Page, host: str, colour: str) -> None:
    await look(page, WIDTHS[0], False)
    await _open(page, f"http://{host}.localhost:{gallery}/signin")
    for part in (page.locator(".mark"), page.get_by_role("button", name="Sign in", exact=True)):
        assert await part.evaluate("element => getComputedStyle(element).color") == colour


async def _open(page: Page, url: str) -> int:
    """Open `url`; returns the bytes of the bodies of all that was loaded."""
    finished: list[PageRequest] = []

    def keep(request: PageRequest) -> None:
        finished.append(request)

    page.on("requestfinished", keep)
    await page.goto(url)
    page.remove_listener("requestfinished", keep)
    return sum([(await request.sizes())["responseBodySize"] for request in finished])
