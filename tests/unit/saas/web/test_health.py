import asyncio

import pytest
from httpx import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette

from saas.web import health
from saas.web.health import Check, health_routes


async def well() -> None:
    return None


async def behind() -> str:
    return "2 tenants' schemas are behind: run `saas migrate`"


async def refused() -> None:
    raise ConnectionRefusedError("postgresql://user:password@db")


async def asleep() -> None:
    await asyncio.Event().wait()


async def ask(path: str, **checks: Check) -> Response:
    transport = ASGITransport(Starlette(routes=health_routes(checks)))
    async with AsyncClient(transport=transport, base_url="http://x") as client:
        return await client.get(path)


async def test_the_process_is_well_whatever_the_checks_say() -> None:
    answer = await ask("/healthz", database=refused)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_ready_when_every_check_is_well() -> None:
    answer = await ask("/readyz", database=well, valkey=well)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "checks": {"database": "ok", "valkey": "ok"}})
    assert answer.headers["cache-control"] == "no-store"


async def test_what_is_wrong_is_named_and_no_secret_with_it() -> None:
    answer = await ask("/readyz", database=refused, valkey=well, migrations=behind)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["checks"] == {"database": "unreachable", "valkey": "ok", "migrations": await behind()}
    assert answer.json()["detail"].startswith("database: unreachable; migrations: 2 tenants'")
    assert "password" not in answer.text


async def test_a_check_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_TIMEOUT", 0.05)
    async with asyncio.timeout(5):
        answer = await ask("/readyz", database=asleep, valkey=well)
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": "no answer within 0.05 seconds", "valkey": "ok"}


async def test_what_it_can_do_without_makes_it_degraded_and_not_unready() -> None:
    transport = ASGITransport(
        Starlette(routes=health_routes({"database": well, "valkey": refused}, optional={"valkey"}))
    )
    async with AsyncClient(transport=transport, base_url="http://x") as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "degraded", "checks": {"database": "ok", "valkey": "unreachable"}}
