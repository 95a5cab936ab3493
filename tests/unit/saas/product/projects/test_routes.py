"""The sample feature over HTTP, on real tenants."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from httpx import AsyncClient

from tests.factories import ProjectFactory
from tests.unit.saas.access.world import World

#: No project has it.
ABSENT = "01a2009b-676c-7ed4-8361-2dfbae71bd3b"

PATH = "/api/v1/projects"


@pytest.fixture
async def client(world: World) -> AsyncIterator[AsyncClient]:
    async with world.client(world.acme, await world.token(world.acme, sub="user-7")) as client:
        yield client


async def create(client: AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post(PATH, json=ProjectFactory(**{"name": "Apollo", **fields}))
    assert answer.status_code == 201, answer.text
    project: dict[str, Any] = answer.json()
    return project


async def test_a_project_lives_from_creation_to_deletion(client: AsyncClient) -> None:
    before = datetime.now(UTC)
    created = await client.post(PATH, json={"name": "  Apollo  ", "description": "To the\nmoon"})
    project = created.json()
    assert created.headers["location"] == f"{PATH}/{project['id']}"
    assert {name: project[name] for name in ("name", "description", "status", "created_by")} == {
        "name": "Apollo",
        "description": "To the\nmoon",
        "status": "active",
        "created_by": "user-7",
    }
    assert before <= datetime.fromisoformat(project["created_at"]) <= datetime.now(UTC)
    where = created.headers["location"]
    assert (await client.get(where)).json() == project

    changed = await client.patch(where, json={"status": "archived"})
    assert changed.json() == project | {"status": "archived", "updated_at": changed.json()["updated_at"]}
    assert changed.json()["updated_at"] > project["updated_at"]
    assert (await client.get(where)).json() == changed.json()

    assert ((gone := await client.delete(where)).status_code, gone.content) == (204, b"")
    for answer in (await client.get(where), await client.delete(where), await client.patch(where, json={"name": "x"})):
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:saas:problem:unknown-project")


async def test_a_change_of_nothing_changes_nothing(client: AsyncClient) -> None:
    project = await create(client)
    assert (await client.patch(f"{PATH}/{project['id']}", json={})).json() == project
    assert (await client.patch(f"{PATH}/{ABSENT}", json={})).status_code == 404


async def test_one_tenant_sees_nothing_of_the_other(world: World, client: AsyncClient) -> None:
    project = await create(client, name="Acme alone")
    async with world.client(world.globex, await world.token(world.globex)) as other:
        where = f"{PATH}/{project['id']}"
        assert (await other.get(where)).status_code == 404
        assert (await other.patch(where, json={"name": "x"})).status_code == 404
        assert (await other.delete(where)).status_code == 404
        assert (await other.get(PATH)).json() == {"items": [], "next_cursor": None}
    assert (await client.get(where)).json() == project


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", PATH, "projects:read"),
        ("GET", f"{PATH}/{ABSENT}", "projects:read"),
        ("POST", PATH, "projects:write"),
        ("PATCH", f"{PATH}/{ABSENT}", "projects:write"),
        ("DELETE", f"{PATH}/{ABSENT}", "projects:write"),
    ],
)
async def test_each_route_asks_for_its_scope(world: World, method: str, path: str, scope: str) -> None:
    other = {"projects:read": "projects:write", "projects:write": "projects:read"}[scope]
    async with world.client(world.acme, await world.token(world.acme, scope=other)) as client:
        answer = await client.request(method, path, json={"name": "x"} if method in {"POST", "PATCH"} else None)
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == f'Bearer error="insufficient_scope", scope="{scope}"'
    async with world.client(world.acme) as client:
        assert (await client.request(method, path)).status_code == 401


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "   "}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"name": "a\x00b"}, "/name"),
        ({"name": "a\nb"}, "/name"),
        ({"name": "a\u0085b"}, "/name"),
        ({"name": None}, "/name"),
        ({"name": "x", "description": "x" * 5001}, "/description"),
        ({"name": "x", "description": "\x00"}, "/description"),
        ({"name": "x", "status": "done"}, "/status"),
        ({"name": "x", "created_by": "me"}, "/created_by"),
        ({"name": "x", "id": ABSENT}, "/id"),
        ({"name": "\ud800"}, "/name"),
        ([], ""),
    ],
)
async def test_a_document_out_of_bounds_is_refused(client: AsyncClient, document: object, pointer: str) -> None:
    answer = await client.post(PATH, content=json.dumps(document), headers={"Content-Type": "application/json"})
    assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (422, [pointer])


@pytest.mark.parametrize("change", [{"name": None}, {"description": None}, {"status": None}, {"name": ""}, {"id": "x"}])
async def test_a_change_out_of_bounds_is_refused(client: AsyncClient, change: dict[str, Any]) -> None:
    project = await create(client)
    assert (await client.patch(f"{PATH}/{project['id']}", json=change)).status_code == 422
    assert (await client.get(f"{PATH}/{project['id']}")).json() == project


async def test_the_longest_and_the_strangest_text_comes_back_whole(client: AsyncClient) -> None:
    fields = {"name": "\U0001f600" * 200, "description": "';--\\ \"%_\t\r\n" + "é" * 4900}
    project = await create(client, **fields)
    assert {name: project[name] for name in fields} == fields
    assert (await client.get(f"{PATH}/{project['id']}")).json() == project


async def test_an_id_that_is_none_is_refused(client: AsyncClient) -> None:
    for path in (f"{PATH}/1", f"{PATH}/{ABSENT}x", f"{PATH}/%00"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["errors"][0]["in"]) == (422, "path")
