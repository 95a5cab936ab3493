"""Every page at phone and desktop width, in light and dark: it fits, it can be read, a keyboard reaches all of it."""

import socket
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import uvicorn
from playwright.async_api import Page
from playwright.async_api import Request as PageRequest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from saas.kit.clock import utc_now
from saas.web.assets import asset_routes
from saas.web.branding import Branding
from saas.web.csrf import Csrf
from saas.web.pages import render
from tenants.registry import Plan, Tenant
from tests.e2e.browser import PageAt, barriers, complaints, look, overflow, screenshot
from tests.e2e.gallery import SAMPLES, Sample

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
_FOCUSABLE = "a[href], button, input:not([type=hidden]):not([hidden]), summary"
#: What has the focus: its place among all that can have it, and how it shows.
_FOCUSED = """selector => {
    const element = document.activeElement, style = getComputedStyle(element), box = element.getBoundingClientRect();
    return {
        place: [...document.querySelectorAll(selector)].indexOf(element),
        shown: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && box.width > 8 && box.height > 8,
        markup: element.outerHTML.slice(0, 120),
    };
}"""


class Tenants:
    """Puts the gallery's tenant of the request's host into the scope, as the resolver does."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            slug = dict(scope["headers"])[b"host"].decode().partition(".")[0]
            if slug in _NAMES:
                scope["tenant"] = _tenant(slug)
                scope["branding"] = Branding(_NAMES[slug], **({"accent": _ACCENTS[slug]} if slug in _ACCENTS else {}))
        await self.app(scope, receive, send)


def _tenant(slug: str) -> Tenant:
    return Tenant(
        id=UUID(int=1),
        slug=slug,
        name=_NAMES[slug],
        host=f"{slug}.localhost",
        issuer=f"http://{slug}.localhost",
        schema="t_1",
        status="active",
        plan=Plan("free", 60, 10, 1000),
        domains=(),
        suspended_reason=None,
        revision=None,
        created_at=utc_now(),
    )


async def _show(request: Request) -> Response:
    sample = next(sample for sample in SAMPLES if sample.name == request.path_params["name"])
    return render(request, sample.template, **sample.context)


@pytest.fixture(scope="module")
def gallery() -> Iterator[int]:
    """The port of a server that shows every sample at `/<its name>`."""
    app = Starlette(routes=[*asset_routes, Route("/{name}", _show)])
    app.state.csrf = Csrf(bytes(32), secure=False)
    app.add_middleware(Tenants)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
async def test_a_page_fits_and_has_no_barriers(gallery: int, page_at: PageAt, sample: Sample) -> None:
    page = await page_at(WIDTHS[0], False)
    complained = complaints(page)
    weight = await _open(page, f"http://{sample.host}.localhost:{gallery}/{sample.name}")
    assert weight < MAX_WEIGHT
    assert await barriers(page) == []
    for width in WIDTHS:
        for dark in (False, True):
            await look(page, width, dark)
            await screenshot(page, f"gallery/{sample.name}-{width}-{'dark' if dark else 'light'}")
        assert await overflow(page) == 0
    assert await barriers(page, "color-contrast", "link-in-text-block") == []
    assert complained == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
async def test_the_keyboard_reaches_everything_in_order(gallery: int, page_at: PageAt, sample: Sample) -> None:
    page = await page_at(WIDTHS[0], False)
    await _open(page, f"http://{sample.host}.localhost:{gallery}/{sample.name}")
    count = await page.locator(_FOCUSABLE).count()
    await page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    await page.locator(".skip").focus()
    for place in range(count):
        focused: dict[str, Any] = await page.evaluate(_FOCUSED, _FOCUSABLE)
        assert (focused["place"], focused["shown"]) == (place, True), focused["markup"]
        await page.keyboard.press("Tab")


async def test_a_logo_stands_in_place_of_the_initial(gallery: int, page_at: PageAt) -> None:
    page = await page_at(WIDTHS[0], False)
    await _open(page, f"http://acme.localhost:{gallery}/signin")
    assert await page.locator(".mark").inner_text() == "A"
    assert await page.locator(".mark").evaluate("element => getComputedStyle(element).color") == "rgb(255, 255, 255)"
    await _open(page, f"http://lemon.localhost:{gallery}/signin-notice")
    assert await page.locator(".mark").evaluate("element => getComputedStyle(element).color") == "rgb(0, 0, 0)"


async def _open(page: Page, url: str) -> int:
    """Open `url`; returns the bytes of the bodies of all that was loaded."""
    finished: list[PageRequest] = []
    page.on("requestfinished", finished.append)
    await page.goto(url)
    return sum([(await request.sizes())["responseBodySize"] for request in finished])
