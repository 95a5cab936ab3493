"""Roles over the API; and what becomes of tokens when a role allows less."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from saas.identity.roles import Role
from saas.services import Services
from tenants.registry import Tenant
from tests.conftest import MakeMachine
from tests.factories import CALLBACK, AppFactory
from tests.unit.saas.console.settings_world import administrator
from tests.unit.saas.oauth.flow import App, tokens_of

SUPPORT = {"name": "support", "description": "Helps", "scopes": ["projects:read", "users:read"]}


@pytest.fixture
async def api(machine: MakeMachine, tenant: Tenant) -> httpx.AsyncClient:
    client = await machine(tenant, ["roles:read", "roles:write", "users:read", "users:write", "projects:write"])
    client.base_url = httpx.URL(f"{tenant.issuer}/api/v1")
    return client


async def test_a_role_from_its_making_to_its_end(services: Services, tenant: Tenant, api: httpx.AsyncClient) -> None:
    builtin = (await api.get("/roles")).json()["items"]
    assert [(role["name"], role["builtin"], role["holders"]) for role in builtin] == [
        *(("owner", True, 1), ("admin", True, 0), ("member", True, 0))
    ]
    assert "users:write" in builtin[1]["scopes"]
    assert "users:write" not in builtin[2]["scopes"]
    made = await api.post("/roles", json=SUPPORT)
    assert (made.status_code, made.headers["location"]) == (201, "/api/v1/roles/support")
    assert made.json() == {**SUPPORT, "builtin": False, "holders": 0}
    assert (await api.post("/roles", json=SUPPORT)).status_code == 409
    old = {"If-Match": (await api.get("/roles/support")).headers["etag"]}
    change = {"description": "Reads", "scopes": ["projects:read"]}
    changed = await api.put("/roles/support", json=change, headers=old)
    assert (changed.status_code, changed.json()["scopes"]) == (200, ["projects:read"])
    assert (await api.put("/roles/support", json=change, headers=old)).status_code == 412
    assert (await api.delete("/roles/support", headers=old)).status_code == 412
    wrong: dict[str, Any]
    for wrong in ({"scopes": []}, {"scopes": ["king"]}, {"scopes": ["projects:read"], "description": "a\nb"}):
        assert (await api.put("/roles/support", json=wrong)).status_code == 422, wrong
    assert (await api.post("/roles", json={**SUPPORT, "name": "Two words"})).status_code == 422
    for name in ("admin", "nothing"):
        answers = [await api.put(f"/roles/{name}", json=change), await api.delete(f"/roles/{name}")]
        assert [answer.status_code for answer in answers] == [404, 404], name

    async with services.database.tenant_session(tenant) as session:
        await services.users.create(session, tenant, email="ann@people.example", roles=["support"])
    used = await api.delete("/roles/support")
    assert (used.status_code, "ann@people.example" in used.json()["detail"]) == (409, True)
    assert (await api.get("/roles/support")).json()["holders"] == 1
    async with services.database.tenant_session(tenant) as session:
        await services.users.set_roles(session, tenant, "ann@people.example", ["member"])
    assert (await api.delete("/roles/support")).status_code == 204


async def test_nobody_gives_a_role_what_they_do_not_hold(
    services: Services, tenant: Tenant, api: httpx.AsyncClient
) -> None:
    beyond = {"name": "auditor", "scopes": ["audit:read"]}
    refused = await api.post("/roles", json=beyond)
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:saas:problem:beyond-your-rights")
    assert "audit:read" in refused.json()["detail"]
    await api.post("/roles", json=SUPPORT)
    assert (await api.put("/roles/support", json={"scopes": ["audit:read"]})).status_code == 403
    async with services.database.tenant_session(tenant) as session:
        await services.roles.create(session, Role("auditor", "", ("audit:read",)), by=None)
    # Nor takes it from there.
    assert (await api.put("/roles/auditor", json={"scopes": ["projects:read"]})).status_code == 403
    assert (await api.delete("/roles/auditor")).status_code == 403


async def test_tokens_lose_at_once_what_roles_lose(
    services: Services, app: FastAPI, tenant: Tenant, api: httpx.AsyncClient
) -> None:
    await api.post("/roles", json=SUPPORT)
    definition = AppFactory(scopes=["openid", "offline_access", "projects:read", "users:read"])
    async with administrator(app, services, tenant, email="ann@people.example", roles=["support"]) as browser:
        async with services.database.tenant_session(tenant) as session:
            client = App(*await services.clients.create(session, tenant, definition), CALLBACK)
        (ann,) = (await api.get("/users", params={"q": "ann@"})).json()["items"]

        async def status(token: str, path: str) -> int:
            answer = await browser.http.get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {token}"})
            return answer.status_code

        async def refreshed(refresh_token: str) -> dict[str, str]:
            answer = await browser.http.post("/oauth2/token", data=client.refresh(refresh_token))
            assert answer.status_code == 200, answer.text
            fresh: dict[str, str] = answer.json()
            return fresh

        tokens = await tokens_of(browser, client, scope="openid offline_access projects:read users:read")
        alone = await tokens_of(browser, client, scope="openid projects:read users:read")
        narrow = await tokens_of(browser, client, scope="openid projects:read")
        first = tokens["access_token"]
        assert [await status(first, path) for path in ("users", "projects")] == [200, 200]
        # More than before takes nothing away.
        more = [*SUPPORT["scopes"], "projects:write"]
        assert (await api.put("/roles/support", json={"scopes": more})).status_code == 200
        assert await status(first, "users") == 200

        assert (await api.put("/roles/support", json={"scopes": ["projects:read"]})).status_code == 200
        assert await status(first, "users") == await status(alone["access_token"], "users") == 401
        assert await status(narrow["access_token"], "projects") == 200
        second = await refreshed(tokens["refresh_token"])
        assert set(second["scope"].split()) == {"openid", "offline_access", "projects:read"}
        assert [await status(second["access_token"], path) for path in ("users", "projects")] == [403, 200]

        # Back again by another role; then that is taken away.
        await api.post("/roles", json={**SUPPORT, "name": "helper"})
        assert (await api.patch(f"/users/{ann['id']}", json={"roles": ["helper"]})).status_code == 200
        third = await refreshed(second["refresh_token"])
        assert await status(third["access_token"], "users") == 200
        assert (await api.patch(f"/users/{ann['id']}", json={"roles": ["support"]})).status_code == 200
        assert await status(third["access_token"], "users") == 401
        fourth = await refreshed(third["refresh_token"])
        assert await status(fourth["access_token"], "projects") == 200
        # And what goes on under another id ends with the rest.
        assert (await api.post(f"/users/{ann['id']}/disable")).status_code == 200
        assert await status(fourth["access_token"], "projects") == 401
