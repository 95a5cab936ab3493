"""Requests for a tenant that is being moved."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import text

from tenants.changes import mark_changed
from tenants.errors import TenantMoving
from tenants.middleware import TenantMiddleware
from tenants.registry import Tenant
from tenants.resolver import Resolver
from tenants.waiting import Waiting
from tests.unit.tenants.conftest import Process
from tests.unit.tenants.test_middleware import App, answer, call


async def set_status(process: Process, tenant: Tenant, status: str) -> None:
    async with process.database.platform_session() as session:
        await session.execute(
            text("UPDATE platform.tenants SET status = :status WHERE id = :id"), {"status": status, "id": tenant.id}
        )
        mark_changed(session, tenant.id)


def served(process: Process, app: App, waiting: Waiting) -> TenantMiddleware:
    resolver = Resolver(process.registry, frozenset())
    return TenantMiddleware(app, resolver=resolver, on_error=answer, exempt=lambda _: False, waiting=waiting)


async def test_requests_wait_and_are_served_when_the_move_is_done(start: Callable[[], Process]) -> None:
    server, mover = start(), start()
    mover.peers.append(server)
    tenant, other = await server.make(), await server.make()
    await set_status(mover, tenant, "moving")
    app = App()
    middleware = served(server, app, Waiting(server.changes, patience=10, most=3))
    host = [(b"host", tenant.host.encode())]
    kinds = ("http", "http", "websocket")
    waiting = [asyncio.create_task(call(middleware, host, kind=kind)) for kind in kinds]
    await asyncio.sleep(0)
    await call(middleware, [(b"host", other.host.encode())])
    assert len(app.scopes) == 1, "others are served meanwhile"
    async with asyncio.timeout(5):
        while (refused := await call(middleware, host))[0]["status"] != 503:
            assert not any(task.done() for task in waiting)
    assert b"try again" in refused[1]["body"]
    assert not any(task.done() for task in waiting)
    await set_status(mover, tenant, "active")
    async with asyncio.timeout(5):
        assert await asyncio.gather(*waiting) == [[], [], []]
    assert [scope["tenant"].status for scope in app.scopes] == ["active"] * 4


async def test_nobody_waits_for_ever_and_a_lost_message_is_made_up_for(process: Process) -> None:
    tenant = await process.make()
    await set_status(process, tenant, "moving")
    resolver = Resolver(process.registry, frozenset())
    waiting = Waiting(process.changes, patience=0.1)
    with pytest.raises(TenantMoving) as moving:
        await resolver.resolve(tenant.host, None)
    with pytest.raises(TenantMoving):
        await waiting.until_served(moving.value, lambda: resolver.resolve(tenant.host, None))
    patient = Waiting(process.changes, patience=10)
    task = asyncio.create_task(patient.until_served(moving.value, lambda: resolver.resolve(tenant.host, None)))
    async with process.database.platform_session() as session:  # not marked: no message goes out
        await session.execute(text("UPDATE platform.tenants SET status = 'active' WHERE id = :id"), {"id": tenant.id})
    process.registry._hosts.drop(None)
    async with asyncio.timeout(5):
        assert (await task).status == "active"
