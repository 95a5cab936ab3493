"""The audit log over the API: filtered, page by page, one event, all of it."""

import csv
import io
import json

import pytest

from tenants.registry import Tenant
from tests.conftest import MakeMachine, MakeTenant

AUDIT = "/api/v1/audit"


@pytest.fixture(scope="module")
async def acme(make_tenant: MakeTenant) -> Tenant:
    return await make_tenant()


async def test_events_are_listed_page_by_page(acme: Tenant, machine: MakeMachine) -> None:
    http = await machine(acme, ["audit:read"])
    whole = (await http.get(AUDIT)).json()["items"]
    assert {event["action"] for event in whole} >= {"tenant.created", "client.created"}
    seen, cursor = [], None
    while True:
        page = (await http.get(AUDIT, params={"limit": 1} | ({"cursor": cursor} if cursor else {}))).json()
        seen += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == whole
    one = await http.get(f"{AUDIT}/{whole[0]['id']}")
    assert one.json() == whole[0]
    assert (await http.get(f"{AUDIT}/00000000-0000-0000-0000-000000000000")).status_code == 404


async def test_filters_hold_together(acme: Tenant, machine: MakeMachine) -> None:
    http = await machine(acme, ["audit:read"])

    async def found(**conditions: str) -> list[str]:
        answer = await http.get(AUDIT, params=conditions)
        assert answer.status_code == 200, answer.text
        return [event["action"] for event in answer.json()["items"]]

    assert set(await found(action="client")) == {"client.created"}
    assert await found(action="client", until="2020-01-01T00:00:00Z") == []
    assert await found(q="no such text") == []
    assert await found(target="nobody") == []
    for wrong in ({"since": "yesterday"}, {"since": "0001-01-01T00:00:00+14:00"}, {"cursor": "x"}, {"q": "a\0b"}):
        assert (await http.get(AUDIT, params=wrong)).status_code == 422, wrong


async def test_all_of_it_is_exported_and_told(acme: Tenant, machine: MakeMachine) -> None:
    http = await machine(acme, ["audit:read"])
    lines = (await http.get(f"{AUDIT}/export")).text.splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["position"] for event in events] == list(range(1, len(events) + 1))
    answer = await http.get(f"{AUDIT}/export", params={"format": "csv", "action": "audit.exported"})
    assert answer.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["actor_kind"], row["summary"]) == ("client", "Exported the audit log")
    empty = await http.get(f"{AUDIT}/export", params={"format": "csv", "actor": "nobody"})
    assert len(empty.text.splitlines()) == 1, "the heading"


async def test_it_takes_the_scope_and_the_plan(make_tenant: MakeTenant, acme: Tenant, machine: MakeMachine) -> None:
    assert (await (await machine(acme)).get(AUDIT)).status_code == 403
    free = await machine(await make_tenant("free"), ["audit:read"])
    assert (await free.get(AUDIT)).status_code == 200
    refused = await free.get(f"{AUDIT}/export")
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (403, "feature-not-in-plan")
