"""What a tenant's administrator, or a program of theirs, sees of its use."""

from datetime import UTC, datetime, timedelta

from saas.services import Services
from tenants.registry import Tenant
from tests.conftest import MakeMachine


async def test_usage_of_a_program_that_reads_it(
    services: Services, machine: MakeMachine, tenant: Tenant, other_tenant: Tenant
) -> None:
    client = await machine(tenant, ["usage:read", "projects:read"])
    for _ in range(3):
        assert (await client.get("/api/v1/projects")).status_code == 200
    await services.collector.collect(tenant)
    now = datetime.now(UTC)
    found = (await client.get("/api/v1/usage", params={"resolution": "day"})).json()
    (period,) = [period for period in found["periods"] if period["requests"]]
    assert len(found["periods"]) in {7, 8}
    assert now - datetime.fromisoformat(period["at"]) < timedelta(hours=25)
    (used_by,) = found["clients"]
    assert used_by.pop("client_id")
    cost = found["totals"]["cost"]  # a list may weigh more than one
    assert found["totals"] == {"requests": 3, "refusals": 0, "would_refuse": 0, "cost": cost} == used_by
    for quota in found["quotas"]:
        assert (quota["used"], quota["remaining"]) == (cost, quota["limit"] - cost), "to look takes nothing"
        assert quota["projected"] >= cost >= 3
        assert datetime.fromisoformat(quota["resets_at"]) > now
    assert found["quotas"][0]["calendar"] == "day"
    own = (await client.get("/api/v1/usage", params={"client_id": "nobody"})).json()
    assert (own["totals"]["requests"], own["clients"], len(own["periods"])) == (0, [], 7 * 24 + 1)
    stranger = await machine(other_tenant, ["usage:read"])
    assert (await stranger.get("/api/v1/usage")).json()["clients"] == []


async def test_one_can_look_where_the_quota_is_used_up(
    services: Services, machine: MakeMachine, tenant: Tenant
) -> None:
    client = await machine(tenant, ["usage:read", "projects:read"])
    limit = tenant.plan.requests_per_day
    today = int(datetime.now(UTC).timestamp()) // 86_400
    await services.redis.set(f"{{{tenant.id.hex}}}:limit:day", f"{today}:{limit}")
    refused = await client.get("/api/v1/projects")
    assert refused.status_code == 429
    shown = await client.get(refused.json()["usage"])
    assert shown.json()["quotas"][0]["remaining"] == 0
    assert "q=" in shown.headers["RateLimit-Policy"]
    assert '"day"' not in shown.headers["RateLimit-Policy"]
    assert await services.redis.ttl(f"{{{tenant.id.hex}}}:usage") > timedelta(days=2).total_seconds()
    await services.collector.collect(tenant)
    totals = (await client.get("/api/v1/usage")).json()["totals"]
    assert totals == {"requests": 0, "refusals": 1, "would_refuse": 0, "cost": 0}


async def test_what_is_not_answered(machine: MakeMachine, tenant: Tenant) -> None:
    client = await machine(tenant, ["usage:read"])
    now = datetime.now(UTC)
    for asked, says in (
        ({"since": (now + timedelta(days=1)).isoformat()}, "before now"),
        ({"since": (now - timedelta(days=60)).isoformat()}, "coarser resolution"),
        ({"since": "0001-01-01T00:00:00+14:00", "resolution": "month"}, "coarser resolution"),
        ({"since": "2026-01-01T00:00:00"}, ""),
        ({"resolution": "year"}, ""),
        ({"client_id": "x" * 201}, ""),
    ):
        answer = await client.get("/api/v1/usage", params=asked)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), asked
        assert says in answer.text
    year = await client.get(
        "/api/v1/usage", params={"since": (now - timedelta(days=399)).isoformat(), "resolution": "day"}
    )
    assert len(year.json()["periods"]) == 400
    assert (await (await machine(tenant, ["projects:read"])).get("/api/v1/usage")).status_code == 403
