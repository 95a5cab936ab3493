from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from saas.web.assets import STATIC_PATHS, asset, asset_routes
from saas.web.branding import Branding
from tests.factories import TenantFactory


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    def with_tenant(app: ASGIApp) -> ASGIApp:
        async def handle(scope: Scope, receive: Receive, send: Send) -> None:
            if dict(scope["headers"])[b"host"] != b"nobody.localhost":
                scope["tenant"] = TenantFactory()
            await app(scope, receive, send)

        return handle

    transport = httpx.ASGITransport(with_tenant(Starlette(routes=asset_routes)))
    async with httpx.AsyncClient(transport=transport, base_url="http://acme.localhost") as client:
        yield client


async def test_a_file_is_kept_for_ever_at_the_address_of_its_content(http: httpx.AsyncClient) -> None:
    answer = await http.get(asset("app.css"))
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    for path in ("/static/app.css", "/static/app.css?v=old"):
        assert (await http.get(path)).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/static/app.css", "/static/brand.css", "/static/brand.svg"])
async def test_what_a_browser_has_is_not_sent_again(http: httpx.AsyncClient, path: str) -> None:
    etag = (await http.get(path)).headers["etag"]
    for seen in (etag, f"W/{etag}", f'"x", {etag}'):
        answer = await http.get(path, headers={"If-None-Match": seen})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == etag
    assert (await http.get(path, headers={"If-None-Match": '"x"'})).status_code == 200


async def test_the_brand_is_the_tenants(http: httpx.AsyncClient) -> None:
    assert (await http.get("/static/brand.css")).text == Branding("Acme").stylesheet
    icon = await http.get("/static/brand.svg")
    assert (icon.headers["content-type"], icon.text) == ("image/svg+xml", Branding("Acme").icon)


async def test_without_a_tenant_there_is_the_common_file_alone(http: httpx.AsyncClient) -> None:
    base = "http://nobody.localhost"
    assert (await http.get(f"{base}/static/app.css")).status_code == 200
    assert (await http.get(f"{base}/static/brand.css")).status_code == 404
    assert "/static/app.css" in STATIC_PATHS
    assert "/static/brand.css" not in STATIC_PATHS


@pytest.mark.parametrize("name", ["nothing.css", "..%2fcsrf.py", "docs", "%2e%2e"])
async def test_there_is_nothing_else(http: httpx.AsyncClient, name: str) -> None:
    assert (await http.get(f"/static/{name}")).status_code == 404


async def test_the_stylesheet_is_small(http: httpx.AsyncClient) -> None:
    assert len((await http.get(asset("app.css"))).content) < 12_000
