"""The documentation, as a browser gets it at a tenant."""

import re
from dataclasses import replace
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from saas.web.docs import docs_routes
from saas.web.openapi import ISSUER
from tests.unit.saas.access.world import World


async def document(world: World, tenant: str = "acme") -> dict[str, Any]:
    async with world.client(getattr(world, tenant)) as client:
        answer = await client.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert ISSUER not in answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("tenant", ["acme", "globex"])
async def test_each_tenant_has_its_own_addresses(world: World, tenant: str) -> None:
    found, issuer = await document(world, tenant), getattr(world, tenant).issuer
    assert found["servers"] == [{"url": issuer}]
    flow = found["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == f"{issuer}/oauth2/token"
    assert flow["scopes"] == {scope.name: scope.description for scope in world.app.state.catalogue}


async def test_every_operation_tells_its_answers_and_whom_it_lets_in(world: World) -> None:
    found = await document(world)
    assert {"/api/v1/me", "/api/v1/scopes", "/api/v1/projects", "/api/v1/projects/{project_id}"} <= set(found["paths"])
    for path in found["paths"].values():
        for operation in path.values():
            assert operation["security"]
            assert {"401", "403", "429", "503"} <= set(operation["responses"])
    assert {"HTTPValidationError", "ValidationError"}.isdisjoint(found["components"]["schemas"])
    create = found["paths"]["/api/v1/projects"]["post"]
    assert create["security"] == [{"oauth2": ["projects:write"]}]
    assert {"409", "413", "422"} <= set(create["responses"])
    assert create["responses"]["422"] == {"$ref": "#/components/responses/Unprocessable"}
    for response in found["components"]["responses"].values():
        assert list(response["content"]) == ["application/problem+json"]
    one = found["paths"]["/api/v1/projects/{project_id}"]
    assert {"304", "404"} <= set(one["get"]["responses"])
    assert "412" in one["patch"]["responses"]


async def test_every_reference_leads_somewhere(world: World) -> None:
    async with world.client(world.acme) as client:
        answer = await client.get("/openapi.json")
    for kind, named in answer.json()["components"].items():
        assert set(re.findall(rf'"#/components/{kind}/([^"]+)"', answer.text)) <= set(named)


async def test_the_page_holds_nothing_inline_and_all_that_it_loads_is_here(world: World) -> None:
    async with world.client(world.acme) as client:
        page = await client.get("/docs?client_id=app_1")
        assert page.status_code == 200
        assert "unsafe" not in page.headers["content-security-policy"]
        assert not re.search(r"<script>|<style|\son\w+=|javascript:|\sstyle=", page.text)
        files = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
        assert len(files) == 5
        for file in files:
            assert (await client.get(file)).status_code == 200, file


async def test_the_script_fills_the_client_in(world: World) -> None:
    async with world.client(world.acme) as client:
        script = (await client.get("/docs/assets/docs.js")).text
    assert '.get("client_id")' in script
    assert "initOAuth" in script


async def test_no_other_file_is_served(world: World) -> None:
    async with world.client(world.acme) as client:
        for path in ("/docs/assets/../docs.py", "/docs/assets/%2e%2e/docs.py", "/docs/assets/", "/docs/assets/core.py"):
            assert (await client.get(path)).status_code in {404, 405}, path


async def test_a_custom_domain_leads_to_the_issuer(world: World) -> None:
    tenant = replace(world.acme, domains=("login.customer.example",))
    app = Starlette(routes=docs_routes(world.app))

    async def at_tenant(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "tenant": tenant}, receive, send)

    async with AsyncClient(transport=ASGITransport(at_tenant), base_url="https://login.customer.example") as client:
        answer = await client.get("/docs?client_id=app_1")
    assert (answer.status_code, answer.headers["location"]) == (307, f"{tenant.issuer}/docs?client_id=app_1")
