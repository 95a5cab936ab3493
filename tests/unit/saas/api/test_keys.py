"""Signing keys over HTTP: seen, and replaced by hand."""

from sqlalchemy import text

from saas.services import Services
from tenants.registry import Tenant
from tests.conftest import MakeMachine

PATH = "/api/v1/keys"


async def test_a_key_is_replaced_and_no_token_fails(machine: MakeMachine, tenant: Tenant, services: Services) -> None:
    client = await machine(tenant, ["settings:read", "settings:write"])
    (first,) = (await client.get(PATH)).json()["items"]
    assert (first["algorithm"], first["status"], first["retired_at"]) == ("ES256", "active", None)

    rotated = (await client.post(f"{PATH}/ES256/rotate")).json()
    assert (rotated["done"], [key["status"] for key in rotated["items"]]) == ("published", ["active", "next"])
    published = (await client.get("/oauth2/jwks")).json()["keys"]
    assert {key["kid"] for key in published} == {key["kid"] for key in rotated["items"]}
    again = await client.post(f"{PATH}/ES256/rotate")
    assert (again.status_code, again.json()) == (200, {"items": rotated["items"], "done": None})

    async with services.database.tenant_session(tenant) as session:
        await session.execute(text("UPDATE signing_keys SET created_at = created_at - interval '1 day'"))
    activated = (await client.post(f"{PATH}/ES256/rotate")).json()
    assert (activated["done"], [key["status"] for key in activated["items"]]) == ("activated", ["retiring", "active"])
    assert activated["items"][0]["retired_at"] is not None
    assert (await client.get(PATH)).json()["items"] == activated["items"]  # by a token that the old key has signed

    query = text("SELECT action, actor_kind FROM audit_events WHERE action LIKE 'key.%' ORDER BY position")
    async with services.database.tenant_session(tenant) as session:
        told = [tuple(row) for row in await session.execute(query)]
    assert told == [("key.published", "client"), ("key.activated", "client")]


async def test_only_keys_that_there_are_by_whoever_may(machine: MakeMachine, tenant: Tenant) -> None:
    client = await machine(tenant, ["settings:read", "settings:write"])
    for algorithm in ("RS256", "HS256", "none"):
        answer = await client.post(f"{PATH}/{algorithm}/rotate")
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:saas:problem:unknown-signing-key")
    assert "when a client first needs it" in answer.json()["detail"]
    reader = await machine(tenant, ["settings:read"])
    assert (await reader.post(f"{PATH}/ES256/rotate")).status_code == 403
    assert len((await reader.get(PATH)).json()["items"]) == 1
