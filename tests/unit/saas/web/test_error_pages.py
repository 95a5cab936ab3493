from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from saas.web.error_pages import ErrorPagesMiddleware
from saas.web.errors import install_error_handlers
from saas.web.headers import AnswerHeadersMiddleware
from saas.web.middleware import RequestContextMiddleware
from saas.web.problems import Problem
from tenants.errors import TenantMoving, TenantNotFound, TenantSuspended
from tenants.registry import Tenant

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class TooOften(Problem):
    status = 429
    code = "too-often"
    title = "Too often"


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI(openapi_url=None)
    for path, error in {
        "/suspended": TenantSuspended("The bill of acme is not paid"),
        "/reason": TenantSuspended("acme is suspended", reason="<b>unpaid</b> & late"),
        "/moving": TenantMoving("Wait", tenant_id=UUID(int=0)),
        "/unknown": TenantNotFound("Send X-Tenant"),
        "/often": TooOften("Wait", headers={"Retry-After": "9"}),
        "/broken": RuntimeError("a secret"),
        "/api/v1/often": TooOften("Wait"),
    }.items():
        app.add_api_route(path, _raiser(error), methods=["GET", "HEAD"])
    install_error_handlers(app)
    app.add_middleware(RequestContextMiddleware)
    app.add_middleware(ErrorPagesMiddleware, api_prefix="/api/v1")
    app.add_middleware(AnswerHeadersMiddleware, https=True)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://acme.localhost") as client:
        yield client


def _raiser(error: Exception) -> Callable[[], Awaitable[None]]:
    async def route() -> None:
        raise error

    return route


@pytest.mark.parametrize(
    ("path", "status", "title"),
    [
        ("/suspended", 403, "This is closed at the moment"),
        ("/reason", 403, "This is closed at the moment"),
        ("/moving", 503, "This is back in a moment"),
        ("/unknown", 404, "There is nothing at this address"),
        ("/nowhere", 404, "This page does not exist"),
        ("/often", 429, "That was too often"),
        ("/broken", 500, "Something went wrong here"),
    ],
)
async def test_a_person_gets_words(http: httpx.AsyncClient, path: str, status: int, title: str) -> None:
    answer = await http.get(path, headers={"Accept": BROWSER, "X-Request-Id": "r-12345678"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert f"<h1>{title}</h1>" in answer.text
    assert "r-12345678" in answer.text
    assert "secret" not in answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)


async def test_the_reason_of_a_suspension_is_shown_as_it_was_written(http: httpx.AsyncClient) -> None:
    page = await http.get("/reason", headers={"Accept": BROWSER})
    assert "<strong>&lt;b&gt;unpaid&lt;/b&gt; &amp; late</strong>" in page.text
    assert "<strong>" not in (await http.get("/suspended", headers={"Accept": BROWSER})).text
    assert (await http.get("/reason")).json()["reason"] == "<b>unpaid</b> & late"
    assert (await http.get("/moving")).headers["retry-after"] == "5"


async def test_the_page_keeps_the_problems_headers_and_has_its_own_policy(http: httpx.AsyncClient) -> None:
    answer = await http.get("/often", headers={"Accept": BROWSER})
    assert answer.headers["retry-after"] == "9"
    assert answer.headers["x-request-id"]
    for name in ("content-security-policy", "content-type", "content-length", "referrer-policy", "x-frame-options"):
        assert len(answer.headers.get_list(name)) == 1, name
    assert "style-src 'self'" in answer.headers["content-security-policy"]
    assert "strict-transport-security" in answer.headers


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/problem+json"])
async def test_a_program_gets_a_problem(http: httpx.AsyncClient, accept: str) -> None:
    answer = await http.get("/often", headers={"Accept": accept})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "Wait"


async def test_the_api_answers_with_problems_whoever_asks(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/v1/often", headers={"Accept": BROWSER})
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_head_request_has_no_body(http: httpx.AsyncClient) -> None:
    answer = await http.head("/often", headers={"Accept": BROWSER})
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_the_application_answers_people_on_any_host(
    client_of: Callable[[Tenant], httpx.AsyncClient], tenant: Tenant
) -> None:
    http = client_of(tenant)
    for address, heading in (
        ("/nowhere", "This page does not exist"),
        ("http://nobody.localhost:8000/signin", "There is nothing at this address"),
    ):
        answer = await http.get(address, headers={"Accept": BROWSER})
        assert (answer.status_code, f"<h1>{heading}</h1>" in answer.text) == (404, True)
    assert (await http.get("http://nobody.localhost:8000/static/app.css")).status_code == 200
