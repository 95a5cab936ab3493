"""Whatever goes wrong on the API is a problem document (RFC 9457)."""

import json

import pytest
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from saas.web.errors import install_error_handlers, render_error
from saas.web.problems import NotFound
from tenants.errors import TenantSuspended
from tests.unit.saas.access.world import World
from tests.unit.saas.web.asgi import call, scope


async def test_no_route_and_a_wrong_method_are_problems(world: World) -> None:
    async with world.client(world.acme, await world.token(world.acme)) as client:
        missing, wrong = await client.get("/nowhere"), await client.put("/api/v1/me")
    assert (missing.status_code, missing.json()) == (
        404,
        {"type": "urn:saas:problem:not-found", "title": "Not found", "status": 404},
    )
    assert (wrong.status_code, wrong.json()["type"]) == (405, "urn:saas:problem:method-not-allowed")
    assert wrong.headers["allow"] == "GET"
    assert missing.headers["content-type"] == wrong.headers["content-type"] == "application/problem+json"


async def test_no_tenant_is_a_problem_that_says_what_to_do(world: World) -> None:
    async with world.client(world.acme) as client:
        answer = await client.get("/docs", headers={"Host": "api.localhost"})
    assert answer.status_code == 404
    assert "X-Tenant" in answer.json()["detail"]


async def test_what_is_wrong_is_named_place_by_place_and_not_echoed(world: World) -> None:
    async with world.client(world.acme, await world.token(world.acme)) as client:
        answer = await client.post("/api/v1/projects", json={"name": 7, "a/b~c": "SECRET", "status": "SECRET"})
    assert answer.status_code == 422
    assert "SECRET" not in answer.text
    assert [(error["in"], error["pointer"]) for error in answer.json()["errors"]] == [
        ("body", "/name"),
        ("body", "/status"),
        ("body", "/a~1b~0c"),
    ]
    assert all(error.keys() == {"in", "pointer", "message"} for error in answer.json()["errors"])


async def test_an_unreadable_body_is_a_problem(world: World) -> None:
    headers = {"Content-Type": "application/json"}
    async with world.client(world.acme, await world.token(world.acme)) as client:
        for content in (b"{", b"[" * 50_000, b"\xff\xfe", b'"\\ud800"', b"1e999"):
            answer = await client.post("/api/v1/projects", content=content, headers=headers)
            assert answer.status_code in {400, 422}, content
            assert answer.headers["content-type"] == "application/problem+json"


async def test_a_flood_of_errors_is_cut_short(world: World) -> None:
    document = {f"{index}{'x' * 500}": 1 for index in range(100)}
    async with world.client(world.acme, await world.token(world.acme)) as client:
        answer = await client.post("/api/v1/projects", json=document)
    assert (answer.status_code, len(answer.json()["errors"])) == (422, 20)
    assert len(answer.content) < 10_000


def test_one_renderer_knows_them_all() -> None:
    lost = DBAPIError("SELECT 1", None, Exception(), connection_invalidated=True)
    statuses = {
        NotFound("gone"): 404,
        TenantSuspended("unpaid"): 403,
        RequestValidationError([]): 422,
        HTTPException(418): 418,
        HTTPException(599): 599,
        PoolTimeout(): 503,
        ConnectionResetError(): 503,
        lost: 503,
    }
    for error, status in statuses.items():
        response = render_error(error)
        assert response is not None
        assert response.status_code == status
        assert json.loads(bytes(response.body))["status"] == status
    for error in (ValueError("x"), DBAPIError("SELECT 1", None, Exception())):
        assert render_error(error) is None


def test_headers_of_an_error_are_kept() -> None:
    response = render_error(HTTPException(401, headers={"WWW-Authenticate": "Basic"}))
    assert response is not None
    assert response.headers["www-authenticate"] == "Basic"


async def test_an_error_of_a_route_that_nobody_expected_goes_further_out() -> None:
    app = FastAPI()
    install_error_handlers(app)
    error = DBAPIError("SELECT 1", None, Exception())

    @app.get("/")
    async def route() -> None:
        raise error

    with pytest.raises(DBAPIError):
        await call(app, scope())
