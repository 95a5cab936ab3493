"""Custom domains over HTTP, with name servers of the test's own."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from saas.services import Services
from tenants.errors import NameServersSilent
from tenants.overrides import set_overrides
from tenants.registry import Tenant
from tests.conftest import MakeMachine

PATH = "/api/v1/domains"


class Records(dict[str, list[str]]):
    """A TxtResolver."""

    silent = False

    async def txt(self, name: str) -> list[str]:
        if self.silent:
            raise NameServersSilent("No name server answers: try again in a moment")
        return self.get(name, [])


@pytest.fixture
def records(app: FastAPI) -> Iterator[Records]:
    records, before = Records(), app.state.txt
    app.state.txt = records
    yield records
    app.state.txt = before


async def test_a_domain_is_claimed_proved_and_given_up(
    machine: MakeMachine, tenant: Tenant, services: Services, records: Records
) -> None:
    client = await machine(tenant, ["settings:read", "settings:write"])
    host = f"login.{tenant.slug}.example"
    where = f"{PATH}/{host}"
    assert (await client.get(where)).status_code == (await client.post(f"{where}/verify")).status_code == 404
    added = await client.put(f"{PATH}/{host.upper()}")
    domain: dict[str, Any] = added.json()
    assert (added.status_code, domain["host"], domain["verified_at"]) == (201, host, None)
    again = await client.put(where)
    assert (again.status_code, again.json()) == (200, domain)
    assert (await client.get(PATH)).json() == {"items": [domain]}
    one = await client.get(where)
    assert (one.json(), one.headers["etag"]) == (domain, added.headers["etag"])
    assert (await client.get(where, headers={"If-None-Match": one.headers["etag"]})).status_code == 304

    for silent, status in ((True, 503), (False, 409)):
        records.silent = silent
        assert (await client.post(f"{where}/verify")).status_code == status
    records[domain["record"]["name"]] = [domain["record"]["value"]]
    for _ in range(2):
        proved = await client.post(f"{where}/verify")
        assert (proved.status_code, proved.json()["record"]) == (200, None)
        assert proved.json()["verified_at"]
    assert ((gone := await client.delete(where)).status_code, gone.content) == (204, b"")
    assert (await client.delete(where)).status_code == 404
    query = text("SELECT action, target_id FROM audit_events WHERE action LIKE 'domain.%' ORDER BY position")
    async with services.database.tenant_session(tenant) as session:
        told = [row.action for row in await session.execute(query)]
    assert told == ["domain.added", "domain.verified", "domain.removed"]


async def test_a_domain_has_its_limits(machine: MakeMachine, tenant: Tenant, services: Services) -> None:
    client = await machine(tenant, ["settings:read", "settings:write"])
    for wrong in ("x", "-.example", "a..example", f"{'a' * 64}.example", "b%00.example", "localhost", "*.a.example"):
        assert (await client.put(f"{PATH}/{wrong}")).status_code == 422, wrong
    assert (await client.put(f"{PATH}/other.localhost")).status_code == 409
    for rate, (changed, code) in enumerate(
        (({"domains": "0"}, "plan-cap-reached"), ({"features": ""}, "feature-not-in-plan")), start=1000
    ):
        async with services.database.platform_session() as session:
            await set_overrides(session, tenant.slug, {**changed, "requests_per_minute": str(rate)}, None)
        async with asyncio.timeout(10):  # the application hears of it as another process would
            while (await client.get("/api/v1/me")).json()["plan"]["requests_per_minute"] != rate:  # noqa: ASYNC110 - nobody would set an event
                await asyncio.sleep(0.01)
        answer = await client.put(f"{PATH}/app.{tenant.slug}.example")
        assert (answer.status_code, answer.json()["type"]) == (403, f"urn:saas:problem:{code}")
    assert (await client.get(PATH)).json() == {"items": []}
