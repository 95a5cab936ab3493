from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Scope

from saas.ratelimit.charges import Charge
from saas.ratelimit.decision import Limit, Quota, Rate
from saas.ratelimit.limiter import Limiter, Subject
from saas.ratelimit.middleware import RateLimitMiddleware
from saas.web.headers import AnswerHeadersMiddleware

LIMITS: tuple[Limit, ...] = (Rate("minute", 1, 3), Quota("day", 100, "day"))
served: list[str] = []


async def work(request: Request) -> PlainTextResponse:
    served.append(request.url.path)
    return PlainTextResponse("done", headers={"X-Own": "kept"})


@pytest.fixture
def tenant() -> UUID:
    served.clear()
    return uuid4()


@pytest.fixture
async def browser(limiter: Limiter, tenant: UUID) -> AsyncIterator[httpx.AsyncClient]:
    def classify(scope: Scope) -> Charge | None:
        if scope["path"] == "/free":
            return None
        return Charge(Subject(tenant, ("token",)), LIMITS, 2 if scope["path"] == "/heavy" else 1)

    routes = [Route(path, work) for path in ("/light", "/heavy", "/free")]
    app = AnswerHeadersMiddleware(RateLimitMiddleware(Starlette(routes=routes), limiter, classify), https=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


async def test_an_answer_carries_the_limits_beside_its_own_headers(browser: httpx.AsyncClient) -> None:
    response = await browser.get("/light")
    assert response.status_code == 200
    assert response.headers["ratelimit-policy"] == '"minute";q=1;w=60,"day";q=100;w=86400'
    assert response.headers["ratelimit"].startswith('"minute";r=2;t=60,"day";r=99;t=')
    assert response.headers["x-own"] == "kept"


async def test_a_refused_request_never_reaches_the_application(browser: httpx.AsyncClient) -> None:
    for _ in range(3):
        await browser.get("/light")
    response = await browser.get("/light")
    assert response.status_code == 429
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["ratelimit"] == '"minute";r=0;t=60,"day";r=97'
    assert response.headers["retry-after"] == "60"
    assert response.json() == {
        "type": "urn:saas:problem:rate-limited",
        "title": "Too many requests",
        "status": 429,
        "detail": "The limit of 1 request a minute, 3 at once, is used up. Try again in 60 seconds. "
        "/api/v1/usage shows what was used.",
        "violated-policies": ["minute"],
        "retry_after": 60,
        "usage": "/api/v1/usage",
    }
    assert len(served) == 3


async def test_a_route_may_weigh_more(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/heavy")).headers["ratelimit"].startswith('"minute";r=1;')
    assert (await browser.get("/heavy")).status_code == 429
    assert (await browser.get("/light")).status_code == 200


async def test_what_is_not_charged_has_no_limit(browser: httpx.AsyncClient) -> None:
    responses = [await browser.get("/free") for _ in range(10)]
    assert {response.status_code for response in responses} == {200}
    assert "ratelimit" not in responses[0].headers


async def test_a_revoked_token_is_no_token(browser: httpx.AsyncClient, limiter: Limiter, tenant: UUID) -> None:
    await limiter.revoke(tenant, "token", datetime.now(UTC) + timedelta(minutes=1))
    response = await browser.get("/light")
    assert response.status_code == 401
    assert response.json()["type"] == "urn:saas:problem:invalid-token"
    assert response.headers["www-authenticate"].startswith('Bearer error="invalid_token", error_description="')
    assert served == []


async def test_what_is_not_http_passes(limiter: Limiter) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: object, send: object) -> None:
        seen.append(scope["type"])

    def never(scope: Scope) -> Charge | None:
        raise AssertionError("A lifespan was classified")

    classify: Callable[[Scope], Charge | None] = never
    await RateLimitMiddleware(app, limiter, classify)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]  # unused
    assert seen == ["lifespan"]
