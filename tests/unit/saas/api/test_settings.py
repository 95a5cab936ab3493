"""The settings over HTTP: one document, changed in parts, all of a change or nothing."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from saas.services import Services
from tenants.branding import MAX_LOGO
from tenants.registry import Tenant
from tests.conftest import MakeMachine, MakeTenant

PATH = "/api/v1/settings"
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40


@pytest.fixture(scope="module")
async def home(make_tenant: MakeTenant) -> Tenant:
    return await make_tenant()


@pytest.fixture
async def client(machine: MakeMachine, home: Tenant) -> httpx.AsyncClient:
    return await machine(home, ["settings:read", "settings:write"])


async def events(services: Services, tenant: Tenant) -> list[tuple[str, dict[str, Any]]]:
    query = text("SELECT action, details FROM audit_events WHERE actor_kind = 'client' ORDER BY position")
    async with services.database.tenant_session(tenant) as session:
        return [(row.action, json.loads(row.details)) for row in await session.execute(query)]


async def test_what_is_left_out_stays(client: httpx.AsyncClient, services: Services, home: Tenant) -> None:
    before = await client.get(PATH)
    assert (before.json()["slug"], before.json()["issuer"]) == (home.slug, home.issuer)
    assert before.json()["plan"]["name"] == "enterprise"
    again = await client.get(PATH, headers={"If-None-Match": before.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    told = await events(services, home)

    named = await client.patch(PATH, json={"name": "  Acme & Söhne ", "branding": {"accent": "#AABBCC"}})
    expected = before.json() | {"name": "Acme & Söhne", "branding": {"accent": "#aabbcc", "logo": None}}
    assert (named.status_code, named.json()) == (200, expected)
    policy = {"second_factor": "admins", "session_idle": 900, "allowed_email_domains": ["@Acme.Example"]}
    changed = await client.patch(PATH, json={"sign_in": policy}, headers={"If-Match": named.headers["etag"]})
    assert changed.json()["sign_in"] == expected["sign_in"] | policy | {"allowed_email_domains": ["acme.example"]}
    reset = await client.patch(PATH, json={"sign_in": {"session_idle": None}, "branding": {"accent": None}})
    assert (reset.json()["sign_in"]["session_idle"], reset.json()["branding"]["accent"]) == (None, None)
    nothing = await client.patch(PATH, json={})
    assert nothing.json() == reset.json() == (await client.get(PATH)).json()
    assert nothing.headers["etag"] == reset.headers["etag"]
    actions = [action for action, _ in (await events(services, home))[len(told) :]]
    assert sorted(actions) == ["policy.changed"] * 2 + ["tenant.branding_changed"] * 2


async def test_a_wrong_part_changes_nothing(client: httpx.AsyncClient) -> None:
    before = (await client.get(PATH)).json()
    for wrong in (
        {"sign_in": {"session_idle": 1}},
        {"sign_in": {"session_idle": 2**63}},
        {"sign_in": {"second_factor": "some"}},
        {"sign_in": {"second_factor": None}},
        {"sign_in": {"allowed_email_domains": ["nodots"]}},
        {"sign_in": {"password_min": 10_000}},
        {"sign_in": {"allowed_email_domains": ["a.example"] * 51}},
        {"branding": {"accent": "red"}},
        {"name": None},
        {"name": "\u200b\u2028"},
        {"plan": {"name": "enterprise"}},
        {"slug": "other"},
    ):
        answer = await client.patch(PATH, json={"name": "New", **wrong} if "name" not in wrong else wrong)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), wrong
    assert (await client.get(PATH)).json() == before


async def test_of_changes_at_once_each_is_seen(client: httpx.AsyncClient) -> None:
    etag = (await client.get(PATH)).headers["etag"]
    blind = [{"sign_in": {"password_min": 20}}, {"name": "Together"}, {"branding": {"accent": "#010203"}}]
    await asyncio.gather(*(client.patch(PATH, json=change) for change in blind))
    after = (await client.get(PATH)).json()
    assert (after["sign_in"]["password_min"], after["name"], after["branding"]["accent"]) == (20, "Together", "#010203")
    careful = {"If-Match": (await client.get(PATH)).headers["etag"]}
    changes = (client.patch(PATH, json={"name": f"At once {number}"}, headers=careful) for number in range(4))
    assert sorted(answer.status_code for answer in await asyncio.gather(*changes)) == [200, 412, 412, 412]
    stale = {"If-Match": etag}
    for answer in (
        await client.patch(PATH, json={"sign_in": {"password_min": 30}}, headers=stale),
        await client.put(f"{PATH}/logo", content=PNG, headers=stale),
        await client.delete(f"{PATH}/logo", headers=stale),
    ):
        assert answer.status_code == 412


async def test_a_logo_comes_and_goes(client: httpx.AsyncClient, services: Services, home: Tenant) -> None:
    for wrong in (b"", b"<svg/>", PNG + b"\x00" * MAX_LOGO):
        answer = await client.put(f"{PATH}/logo", content=wrong)
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:saas:problem:invalid-branding")
    told = await events(services, home)
    first = await client.put(f"{PATH}/logo", content=PNG, headers={"Content-Type": "image/png"})
    where = first.json()["branding"]["logo"]
    assert (first.status_code, (await client.get(where)).content) == (200, PNG)
    assert (await client.put(f"{PATH}/logo", content=PNG)).headers["etag"] == first.headers["etag"]
    for _ in range(2):
        assert (await client.delete(f"{PATH}/logo")).json()["branding"]["logo"] is None
    assert (await events(services, home))[len(told) :] == [
        ("tenant.branding_changed", {"logo": True}),
        ("tenant.branding_changed", {"logo": False}),
    ]
