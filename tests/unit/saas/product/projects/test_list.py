"""Lists: pages that fit together whatever the order, filters, and cursors that were tampered with."""

import base64
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from saas.product.projects.models import ProjectRow
from saas.product.projects.service import list_projects
from saas.web.paging import encode_cursor
from saas.web.problems import InvalidRequest
from tenants.base import new_id, utc_now
from tenants.registry import Tenant
from tests.conftest import MakeTenant
from tests.unit.saas.access.world import World

#: In the names of tests, which must be the same in every process that collects them.
_ID = UUID("01a2009b-676c-7ed4-8361-2dfbae71bd3b")

PATH = "/api/v1/projects"
NAMES = ["alpha", "Alpha", "beta", "beta", "beta", "100%", "100 of", "a_b", "axb", "a\\b", "zeta"]


@pytest.fixture(scope="module")
async def tenant(world: World, make_tenant: MakeTenant) -> Tenant:
    """With projects of which several share a name, and several a time."""
    tenant = await make_tenant()
    now = utc_now()
    rows = [
        {
            "id": new_id(),
            "name": name,
            "description": "",
            "status": "archived" if index % 3 == 0 else "active",
            "created_by": "app_1",
            "created_at": now.replace(microsecond=index // 4),
            "updated_at": now,
        }
        for index, name in enumerate(NAMES)
    ]
    async with world.database.tenant_session(tenant) as session:
        await session.execute(insert(ProjectRow), rows)
    return tenant


@pytest.fixture
async def client(world: World, tenant: Tenant) -> AsyncIterator[AsyncClient]:
    async with world.client(tenant, await world.token(tenant)) as client:
        yield client


async def pages(client: AsyncClient, **query: Any) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = []
    cursor: str | None = None
    while cursor is not None or not found:
        answer = await client.get(PATH, params=query | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["items"])
        cursor = answer.json()["next_cursor"]
        assert len(found) < 50
    return found


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 11, 100])
@pytest.mark.parametrize("sort", ["created_at", "-created_at", "name", "-name"])
async def test_pages_hold_every_row_once_and_in_order(client: AsyncClient, sort: str, limit: int) -> None:
    whole = (await pages(client, sort=sort, limit=100))[0]
    parts = await pages(client, sort=sort, limit=limit)
    assert [row for part in parts for row in part] == whole
    assert [len(part) for part in parts[:-1]] == [limit] * (len(parts) - 1)
    assert len(parts[-1]) in range(1, limit + 1)
    assert len({row["id"] for row in whole}) == len(NAMES)


async def test_the_order_is_the_one_asked_for(client: AsyncClient) -> None:
    up, down = (await pages(client, sort="created_at"))[0], (await pages(client, sort="-created_at"))[0]
    assert up == down[::-1]
    places = [(datetime.fromisoformat(row["created_at"]), row["id"]) for row in up]
    assert places == sorted(places)
    assert (await pages(client))[0] == down
    names = [row["name"] for row in (await pages(client, sort="name"))[0]]
    assert [name for name in names if name in {"beta", "zeta"}] == ["beta", "beta", "beta", "zeta"]
    assert [row["name"] for row in (await pages(client, sort="-name"))[0]] == names[::-1]


async def test_a_row_that_comes_or_goes_between_pages_moves_no_other(world: World, make_tenant: MakeTenant) -> None:
    tenant = await make_tenant()
    async with world.client(tenant, await world.token(tenant)) as client:
        ids = [(await client.post(PATH, json={"name": name})).json()["id"] for name in "bdfh"]
        first = (await client.get(PATH, params={"sort": "name", "limit": 2})).json()
        await client.delete(f"{PATH}/{ids[1]}")  # the very row that the cursor points at
        for name in "ag":
            await client.post(PATH, json={"name": name})
        second = (await client.get(PATH, params={"sort": "name", "cursor": first["next_cursor"]})).json()
    assert [row["name"] for row in first["items"] + second["items"]] == list("bdfgh")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("ALPHA", {"alpha", "Alpha"}),
        ("eta", {"beta", "zeta"}),
        ("100%", {"100%"}),
        ("%", {"100%"}),
        ("a_b", {"a_b"}),
        ("_", {"a_b"}),
        ("a\\b", {"a\\b"}),
        ("/", set()),
        ("' OR 1=1 --", set()),
        ("", set(NAMES)),
    ],
)
async def test_a_part_of_the_name_is_found_as_it_is_written(client: AsyncClient, query: str, names: set[str]) -> None:
    assert {row["name"] for part in await pages(client, q=query, limit=4) for row in part} == names


async def test_the_status_filters(client: AsyncClient) -> None:
    archived = [row for part in await pages(client, status="archived", limit=2) for row in part]
    assert len(archived) == 4
    assert {row["status"] for row in archived} == {"archived"}
    both = [row for part in await pages(client, status="active", q="beta", limit=1) for row in part]
    assert [row["name"] for row in both] == ["beta", "beta"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "x"},
        {"sort": "status"},
        {"sort": "created_at desc"},
        {"status": "done"},
        {"q": "x" * 201},
        {"q": "a\x00b"},
        {"cursor": "x" * 2049},
    ],
)
async def test_a_query_out_of_bounds_is_refused(client: AsyncClient, query: dict[str, Any]) -> None:
    answer = await client.get(PATH, params=query)
    assert answer.status_code == 422
    assert [(error["in"], error["pointer"]) for error in answer.json()["errors"]] == [
        ("query", f"/{next(iter(query))}")
    ]


@pytest.mark.parametrize(
    ("cursor", "sort"),
    [
        ("nonsense", "name"),
        (encode_cursor("-name", "beta", _ID), "name"),
        (encode_cursor("name", "a\x00b", _ID), "name"),
        (encode_cursor("name", "", _ID), "name"),
        (encode_cursor("name", "x" * 201, _ID), "name"),
        (encode_cursor("created_at", "beta", _ID), "created_at"),
        (encode_cursor("created_at", "0001-01-01T00:00:00+23:59", _ID), "created_at"),
    ],
)
async def test_a_cursor_that_was_not_given_out_is_refused(client: AsyncClient, cursor: str, sort: str) -> None:
    answer = await client.get(PATH, params={"cursor": cursor, "sort": sort})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:saas:problem:invalid-request")
    assert "cursor" in answer.json()["detail"]


@given(
    sort=st.sampled_from(["created_at", "-created_at", "name", "-name"]),
    value=st.one_of(st.text(max_size=210), st.datetimes().map(lambda moment: moment.isoformat() + "Z")),
    row_id=st.uuids(),
    cut=st.integers(0, 40),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_made_up_cursor_is_a_place_or_refused(
    *, world: World, tenant: Tenant, sort: Any, value: str, row_id: UUID, cut: int
) -> None:
    """It reaches the database as a value that fits, or not at all."""
    cursor = encode_cursor(sort, value, row_id)
    text = base64.urlsafe_b64encode(base64.urlsafe_b64decode(cursor + "===")[: -cut or None]).decode().rstrip("=")
    async with world.database.tenant_session(tenant) as session:
        try:
            page = await list_projects(session, sort=sort, limit=100, cursor=text)
        except InvalidRequest:
            return
    assert len(page.items) <= len(NAMES)
