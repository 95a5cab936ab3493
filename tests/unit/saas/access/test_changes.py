"""What another process changes, the API of this one knows within a second, though it remembers tokens."""

import asyncio
from collections.abc import Callable

import httpx

from saas.services import Services
from tenants.registry import Tenant
from tests.conftest import MakeMachine

ME = "/api/v1/me"


async def test_the_token_of_a_revoked_client_is_refused(
    services: Services, tenant: Tenant, other_tenant: Tenant, machine: MakeMachine
) -> None:
    http, untouched = await machine(tenant), await machine(other_tenant)
    me = await http.get(ME)
    assert (me.status_code, (await untouched.get(ME)).status_code) == (200, 200)
    async with services.database.tenant_session(tenant) as session:
        await services.clients.revoke(session, tenant, me.json()["client_id"])
    await until(lambda answer: answer.status_code == 401, http)
    assert "client" in (await http.get(ME)).json()["detail"]
    assert (await untouched.get(ME)).status_code == 200


async def test_a_changed_plan_and_a_suspension_are_seen(
    services: Services, tenant: Tenant, machine: MakeMachine
) -> None:
    http = await machine(tenant)
    assert (await http.get(ME)).json()["plan"]["name"] == tenant.plan.name == "enterprise"
    async with services.database.platform_session() as session:
        await services.registry.set_plan(session, tenant.slug, "pro")
    await until(lambda answer: bool(answer.json()["plan"]["name"] == "pro"), http)
    async with services.database.platform_session() as session:
        await services.registry.suspend(session, tenant.slug, "unpaid")
    await until(lambda answer: answer.status_code == 403, http)


async def until(condition: Callable[[httpx.Response], bool], http: httpx.AsyncClient) -> None:
    """Ask again and again, for at most a second."""
    async with asyncio.timeout(1):
        while not condition(await http.get(ME)):  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.02)
