"""Tokens and scopes as a request meets them: headers in, status and challenge out (RFC 6750)."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI
from httpx import ASGITransport, AsyncClient, Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saas.access.caller import Caller
from saas.access.errors import RepeatedToken
from saas.access.guards import require
from saas.access.middleware import _bearer_token
from saas.access.verifier import TokenVerifier
from saas.web.openapi import openapi_document
from tests.unit.saas.access.world import World, build_app

router = APIRouter()


@router.get("/either", dependencies=[require("projects:read", "reports:read")])
async def either() -> str:
    return "either"


@router.get("/both", dependencies=[require("projects:read"), require("reports:read", "reports:all")])
async def both() -> str:
    return "both"


@router.get("/caller")
async def caller(who: Annotated[Caller, require("projects:read")]) -> str:
    return who.client_id


@pytest.fixture(scope="module")
def app(world: World) -> FastAPI:
    async def client_is_live(*_: Any) -> bool:
        return True

    app = build_app(world, TokenVerifier(world.keys, client_is_live, world.changes))
    app.include_router(router)
    return app


async def get(app: FastAPI, world: World, path: str, **headers: str) -> Response:
    async with AsyncClient(transport=ASGITransport(app), base_url=world.acme.issuer) as client:
        return await client.get(path, headers=headers)


async def test_no_token_is_a_challenge_without_an_error(app: FastAPI, world: World) -> None:
    answer = await get(app, world, "/api/v1/me")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:saas:problem:missing-token"


async def test_a_bad_token_is_refused_with_the_reason(app: FastAPI, world: World) -> None:
    answer = await get(app, world, "/api/v1/me", Authorization=f"Bearer {await world.token(world.globex)}")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == (
        'Bearer error="invalid_token", error_description="The token is from another issuer"'
    )
    assert answer.json()["detail"] == "The token is from another issuer"
    assert answer.headers["cache-control"] == "no-store"


async def test_a_route_without_a_guard_does_not_mind_a_bad_token(app: FastAPI, world: World) -> None:
    assert (await get(app, world, "/openapi.json", Authorization="Bearer x")).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_has_no_case(app: FastAPI, world: World, scheme: str) -> None:
    token = await world.token(world.acme)
    assert (await get(app, world, "/api/v1/me", Authorization=f"{scheme} {token}")).status_code == 200


@pytest.mark.parametrize("value", ["Basic YTpi", "Bearer", "Bearer ", "DPoP x.y.z", "x"])
async def test_another_scheme_is_no_token(app: FastAPI, world: World, value: str) -> None:
    answer = await get(app, world, "/api/v1/me", Authorization=value)
    assert (answer.status_code, answer.headers["www-authenticate"].partition(" ")[0]) == (401, "Bearer")


async def test_two_tokens_are_a_bad_request(app: FastAPI, world: World) -> None:
    bearer = f"Bearer {await world.token(world.acme)}"
    async with AsyncClient(transport=ASGITransport(app), base_url=world.acme.issuer) as client:
        answer = await client.get("/api/v1/me", headers=[("Authorization", bearer), ("Authorization", bearer)])
    assert answer.status_code == 400
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_request"'


async def test_a_token_in_the_query_or_the_form_is_not_looked_at(app: FastAPI, world: World) -> None:
    token = await world.token(world.acme)
    assert (await get(app, world, f"/api/v1/me?access_token={token}")).status_code == 401
    async with AsyncClient(transport=ASGITransport(app), base_url=world.acme.issuer) as client:
        answer = await client.post("/api/v1/projects", data={"access_token": token})
    assert answer.status_code == 401


async def test_a_missing_scope_is_named(app: FastAPI, world: World) -> None:
    token = await world.token(world.acme, scope="projects:write")
    answer = await get(app, world, "/caller", Authorization=f"Bearer {token}")
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="projects:read"'
    assert answer.json()["type"] == "urn:saas:problem:insufficient-scope"


@pytest.mark.parametrize(
    ("scope", "path", "status"),
    [
        ("projects:read", "/either", 200),
        ("reports:read other", "/either", 200),
        ("other", "/either", 403),
        ("", "/either", 403),
        ("projects", "/either", 403),
        ("projects:read", "/both", 403),
        ("reports:all", "/both", 403),
        ("reports:all projects:read", "/both", 200),
        ("projects:read", "/caller", 200),
    ],
)
async def test_one_scope_of_each_guard_is_needed(
    app: FastAPI, world: World, scope: str, path: str, status: int
) -> None:
    token = await world.token(world.acme, scope=scope)
    assert (await get(app, world, path, Authorization=f"Bearer {token}")).status_code == status


async def test_any_of_several_scopes_is_named_whole(app: FastAPI, world: World) -> None:
    token = await world.token(world.acme, scope="other")
    answer = await get(app, world, "/either", Authorization=f"Bearer {token}")
    assert answer.headers["www-authenticate"].endswith('scope="projects:read reports:read"')


def test_the_document_has_what_the_guards_ask_for(app: FastAPI) -> None:
    paths = openapi_document(app, app.state.catalogue)["paths"]
    assert paths["/caller"]["get"]["security"] == [{"oauth2": ["projects:read"]}]
    assert paths["/either"]["get"]["security"] == [{"oauth2": ["projects:read"]}, {"oauth2": ["reports:read"]}]
    assert paths["/both"]["get"]["security"] == [
        {"oauth2": ["projects:read", "reports:read"]},
        {"oauth2": ["projects:read", "reports:all"]},
    ]
    assert paths["/api/v1/me"]["get"]["security"] == [{"oauth2": []}]


async def test_me_is_the_caller_the_tenant_and_its_plan(app: FastAPI, world: World) -> None:
    token = await world.token(world.acme, exp=4_000_000_000, scope="projects:write projects:read")
    acme = world.acme
    assert (await get(app, world, "/api/v1/me", Authorization=f"Bearer {token}")).json() == {
        "subject": "app_1",
        "client_id": "app_1",
        "scopes": ["projects:read", "projects:write"],
        "expires_at": 4_000_000_000,
        "tenant": {"slug": acme.slug, "name": acme.name, "issuer": acme.issuer},
        "plan": {
            "name": "pro",
            "requests_per_minute": acme.plan.requests_per_minute,
            "burst": acme.plan.burst,
            "requests_per_day": acme.plan.requests_per_day,
        },
    }


async def test_the_catalogue_lists_every_scope_in_words(app: FastAPI, world: World) -> None:
    token = await world.token(world.acme, scope="")
    items = (await get(app, world, "/api/v1/scopes", Authorization=f"Bearer {token}")).json()["items"]
    assert [item["name"] for item in items] == list(app.state.catalogue.names)
    assert {"name", "description", "category", "sensitive"} == set(items[0])
    by_name = {item["name"]: item for item in items}
    assert by_name["projects:write"]["sensitive"]
    assert not by_name["projects:read"]["sensitive"]
    assert (await get(app, world, "/api/v1/scopes")).status_code == 401


@given(
    values=st.lists(st.binary(max_size=60) | st.builds(lambda t: b"Bearer " + t, st.binary(max_size=60)), max_size=2)
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_header_breaks_the_reader(values: list[bytes]) -> None:
    try:
        token = _bearer_token({"headers": [(b"authorization", value) for value in values]})
    except RepeatedToken:
        assert len(values) == 2
        return
    assert (token is not None) == (len(values) == 1 and values[0][:7].lower() == b"bearer ")
