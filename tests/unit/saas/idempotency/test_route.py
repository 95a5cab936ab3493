"""A request that is sent twice takes effect once; seen at the sample feature."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from saas.idempotency import service as kept_answers
from saas.services import Services
from tenants.registry import Tenant
from tests.conftest import MakeMachine, MakeTenant

PATH = "/api/v1/projects"


@pytest.fixture(scope="module")
async def home(make_tenant: MakeTenant) -> Tenant:
    return await make_tenant()


@pytest.fixture
async def client(machine: MakeMachine, home: Tenant) -> httpx.AsyncClient:
    return await machine(home)


async def send(client: httpx.AsyncClient, key: str, **fields: Any) -> httpx.Response:
    return await client.post(PATH, json={"name": "Apollo", **fields}, headers={"Idempotency-Key": key})


async def names(client: httpx.AsyncClient) -> list[str]:
    return [each["name"] for each in (await client.get(PATH)).json()["items"]]


async def test_the_same_request_has_the_same_answer_and_takes_effect_once(
    client: httpx.AsyncClient, services: Services, home: Tenant
) -> None:
    key, name = f'"{uuid4()}"', f"Once {uuid4()}"
    first, again = await send(client, key, name=name), await send(client, key, name=name)
    assert (first.status_code, "idempotency-replayed" in first.headers) == (201, False)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    assert again.content == first.content
    for header in ("location", "etag", "content-type"):
        assert again.headers[header] == first.headers[header]
    assert (await names(client)).count(name) == 1
    async with services.database.tenant_session(home) as session:
        rows = (await session.execute(text("SELECT answer FROM kept_answers WHERE key = :key"), {"key": key})).all()
        events = await session.scalar(
            text("SELECT count(*) FROM audit_events WHERE target_name = :name"), {"name": name}
        )
    assert [name.encode() in row.answer for row in rows] == [False]  # sealed
    assert events == 1


async def test_another_request_with_the_key_is_refused(client: httpx.AsyncClient) -> None:
    key = uuid4().hex
    assert (await send(client, key)).status_code == 201
    other = await send(client, key, description="another")
    assert (other.status_code, other.json()["type"]) == (422, "urn:saas:problem:idempotency-key-reused")
    query = await client.post(f"{PATH}?x=1", json={"name": "Apollo"}, headers={"Idempotency-Key": key})
    assert query.status_code == 422


async def test_a_key_is_its_callers_alone(client: httpx.AsyncClient, machine: MakeMachine, home: Tenant) -> None:
    key, neighbour = uuid4().hex, await machine(home)
    first, theirs = await send(client, key), await send(neighbour, key)
    assert (theirs.status_code, "idempotency-replayed" in theirs.headers) == (201, False)
    assert theirs.json()["id"] != first.json()["id"]


async def test_an_answer_is_not_given_to_who_may_not_ask(
    client: httpx.AsyncClient, services: Services, home: Tenant
) -> None:
    """The same client with a token that allows less."""
    key = uuid4().hex
    assert (await send(client, key)).status_code == 201
    client_id = (await client.get("/api/v1/me")).json()["client_id"]
    async with services.database.tenant_session(home) as session:
        secret = await services.clients.rotate_secret(session, home, client_id, overlap=timedelta(0))
    form = {"grant_type": "client_credentials", "scope": "projects:read"}
    less = (await client.post("/oauth2/token", data=form, auth=(client_id, secret))).json()["access_token"]
    client.headers["Authorization"] = f"Bearer {less}"
    assert (await send(client, key)).status_code == 403


async def test_what_failed_may_be_sent_again(client: httpx.AsyncClient) -> None:
    key = uuid4().hex
    assert (await send(client, key, name="")).status_code == 422
    assert (await send(client, key)).status_code == 201


async def test_two_at_once_are_one(client: httpx.AsyncClient) -> None:
    key, name = uuid4().hex, f"Together {uuid4()}"
    answers = await asyncio.gather(*(send(client, key, name=name) for _ in range(8)))
    made = [answer for answer in answers if answer.status_code == 201]
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in made}) == 1
    assert [answer.headers["retry-after"] for answer in answers if answer.status_code == 409] == ["1"] * (8 - len(made))
    assert (await names(client)).count(name) == 1


async def test_while_one_works_the_other_is_told(client: httpx.AsyncClient, services: Services, home: Tenant) -> None:
    key = uuid4().hex
    client_id = (await client.get("/api/v1/me")).json()["client_id"]
    mine = kept_answers.Keyed(home.id, client_id, client_id, key, "POST", PATH, b"")
    async with services.database.tenant_session(home) as session:
        assert await kept_answers.claim(session, services.sealer, mine) is None
        answer = await send(client, key)
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:saas:problem:idempotency-key-in-use")
    assert (await send(client, key)).status_code == 201


async def test_after_a_day_a_key_is_new(client: httpx.AsyncClient, services: Services, home: Tenant) -> None:
    keys = [uuid4().hex for _ in range(3)]
    first = [await send(client, key) for key in keys]
    async with services.database.tenant_session(home) as session:
        old = {"past": kept_answers.KEPT_FOR + timedelta(seconds=1), "keys": keys[:2]}
        age = text("UPDATE kept_answers SET created_at = created_at - CAST(:past AS interval) WHERE key = ANY(:keys)")
        await session.execute(age, old)
    again = await send(client, keys[0])
    assert (again.status_code, "idempotency-replayed" in again.headers) == (201, False)
    assert again.json()["id"] != first[0].json()["id"]
    async with services.database.tenant_session(home) as session:
        assert await kept_answers.purge(session, 100) == 1
        assert await kept_answers.purge(session, 100) == 0
    assert "idempotency-replayed" in (await send(client, keys[2])).headers


async def test_an_answer_that_cannot_be_opened_is_not_made_up(
    client: httpx.AsyncClient, services: Services, home: Tenant
) -> None:
    keys = [uuid4().hex for _ in range(2)]
    for key in keys:
        await send(client, key)
    swap = text("UPDATE kept_answers SET answer = (SELECT answer FROM kept_answers WHERE key = :b) WHERE key = :a")
    async with services.database.tenant_session(home) as session:
        await session.execute(swap, dict(zip("ab", keys, strict=True)))
    answer = await send(client, keys[0])
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:saas:problem:idempotent-answer-lost")


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "ümlaut"])
async def test_a_key_has_limits(client: httpx.AsyncClient, key: str) -> None:
    answer = await client.post(PATH, json={"name": "x"}, headers=[(b"Idempotency-Key", key.encode())])
    assert (answer.status_code, answer.json()["errors"][0]["in"]) == (422, "header")
