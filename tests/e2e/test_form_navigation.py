"""Where a form leads in Chromium, which holds each redirect after a form to the policy of the form's page."""

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from saas.web.assets import asset_routes
from saas.web.csrf import Csrf, read_form
from saas.web.pages import go_on, render
from saas.web.problems import PageError
from tests.e2e.browser import PageAt, complaints, serving


async def _show(request: Request) -> Response:
    allowed = request.query_params.get("allowed")
    return render(
        request, "identity/reset_request.html", email="", errors={}, form_action=(allowed,) if allowed else ()
    )


async def _submit(request: Request) -> Response:
    """As sign-in and consent do: to the client, which sends the browser on to a host that only it knows."""
    await read_form(request)
    port = request.url.port
    if request.query_params.get("how") == "go on":
        return go_on(request, f"/to-client?port={port}")
    return RedirectResponse(f"http://client.localhost:{port}/callback", 303)


async def _to_client(request: Request) -> Response:
    return RedirectResponse(f"http://client.localhost:{request.query_params['port']}/callback", 303)


async def _callback(request: Request) -> Response:
    return RedirectResponse(f"http://elsewhere.localhost:{request.url.port}/home", 303)


async def _home(_: Request) -> Response:
    return PlainTextResponse("home")


async def _refused(_: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 403)


@pytest.fixture(scope="module")
def site() -> Iterator[int]:
    routes = [
        *asset_routes,
        Route("/form", _show),
        Route("/form", _submit, methods=["POST"]),
        Route("/to-client", _to_client),
        Route("/callback", _callback),
        Route("/home", _home),
        Route("/favicon.ico", _home),  # a browser asks for it where a page names no icon
    ]
    app = Starlette(routes=routes, exception_handlers={PageError: _refused})
    app.state.csrf = Csrf(bytes(32), secure=False)
    with serving(app) as port:
        yield port


@pytest.mark.parametrize("query", ["how=go+on", "allowed=http://client.localhost/callback"])
async def test_a_form_reaches_the_client_and_where_that_leads(site: int, page_at: PageAt, query: str) -> None:
    page = await page_at(360, False)
    complained = complaints(page)
    await page.goto(f"http://acme.localhost:{site}/form?{query}")
    await page.get_by_role("button").click()
    await page.wait_for_url(f"http://elsewhere.localhost:{site}/home")
    assert complained == []


async def test_a_form_goes_nowhere_else(site: int, page_at: PageAt) -> None:
    page = await page_at(360, False)
    complained = complaints(page)
    await page.goto(f"http://acme.localhost:{site}/form")
    async with page.expect_event("console"):
        await page.get_by_role("button").click()
    assert page.url == f"http://acme.localhost:{site}/form"
    assert "form-action" in complained[0]


async def test_a_form_on_a_neighbours_page_is_refused(site: int, page_at: PageAt) -> None:
    """Both are one site: the browser sends the cookie along, SameSite or not."""
    page = await page_at(360, False)
    ours = f"http://acme.example.localhost:{site}/form"
    await page.goto(ours)
    token = await page.locator("input[name=csrf]").input_value()
    await page.goto(f"http://evil.example.localhost:{site}/home")
    await page.set_content(
        f"<form method=post action='{ours}'><input name=csrf value='{token}'><button>Win</button></form>"
    )
    async with page.expect_response(ours) as answered:
        await page.get_by_role("button").click()
    answer = await answered.value
    assert "csrf=" in (await answer.request.all_headers())["cookie"]
    assert answer.status == 403
