"""A rotation while two services issue tokens and verify each other's: no request fails."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
from fastapi import FastAPI
from joserfc import jws

from saas.main import create_app
from saas.oauth.clients import NewClient
from saas.services import Services
from saas.settings import Settings
from tenants.registry import Tenant
from tests.factories import MachineFactory
from tests.unit.saas.keys.test_lifecycle import VERIFIES, Keeper

DEADLINE = 20.0


class Load:
    """Requests to all instances, each in its turn, until it is stopped."""

    def __init__(self, instances: list[httpx.AsyncClient], credentials: NewClient) -> None:
        self.instances = instances
        self.credentials = credentials
        #: By which keys each instance has signed, in their order.
        self.signed_by: list[list[str]] = [[] for _ in instances]
        self.stop = asyncio.Event()
        self.rounds = 0

    async def run(self, at: int) -> None:
        while not self.stop.is_set():
            token = await self._issue(at)
            kid = str(jws.extract_compact(token.encode()).protected["kid"])
            if kid not in self.signed_by[at]:
                self.signed_by[at].append(kid)
            for instance in self.instances:
                answer = await instance.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
                assert answer.status_code == 200, answer.text
            self.rounds += 1
            await asyncio.sleep(0.01)

    async def _issue(self, at: int) -> str:
        form = {"grant_type": "client_credentials"}
        answer = await self.instances[at].post("/oauth2/token", data=form, auth=self.credentials)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def until_published(self, kids: set[str]) -> None:
        async with asyncio.timeout(DEADLINE):
            for instance in self.instances:
                while await _published(instance) != kids:  # noqa: ASYNC110 - a service tells nobody
                    await asyncio.sleep(0.02)

    async def until_all_sign_by(self, kid: str) -> None:
        """And what they signed before is verified."""
        async with asyncio.timeout(DEADLINE):
            while any(kid not in kids for kids in self.signed_by):  # noqa: ASYNC110 - the load tells nobody
                await asyncio.sleep(0.02)
            rounds = self.rounds + 2 * len(self.instances) + 2
            while self.rounds < rounds:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)


async def _published(instance: httpx.AsyncClient) -> set[str]:
    return {jwk["kid"] for jwk in (await instance.get("/oauth2/jwks")).json()["keys"]}


@pytest.fixture
async def load(settings: Settings, services: Services, app: FastAPI, tenant: Tenant) -> AsyncIterator[Load]:
    """Two services that hear of each other through Valkey, as two processes do."""
    async with services.database.tenant_session(tenant) as session:
        definition = MachineFactory(scopes=["projects:read"])
        made = await services.clients.create(session, tenant, definition)
    other = create_app(settings)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(other.router.lifespan_context(other))
        instances = [
            await stack.enter_async_context(
                httpx.AsyncClient(transport=httpx.ASGITransport(each), base_url=tenant.issuer)
            )
            for each in (app, other)
        ]
        yield Load(instances, made)


async def test_a_rotation_under_load_yields_no_failed_request(services: Services, tenant: Tenant, load: Load) -> None:
    keeper = Keeper(services, tenant)
    running = [asyncio.create_task(load.run(at)) for at in (0, 1, 0, 1)]
    try:
        for _ in range(3):
            assert await keeper.rotate(days=1) == "published"
            before, after = [key.kid for key in await keeper.all()][-2:]
            await load.until_published({before, after})
            assert await keeper.rotate(days=1) == "activated"
            await load.until_all_sign_by(after)
            assert await keeper.advance(seconds=VERIFIES.total_seconds() + 60) == 1
            await load.until_published({after})
            assert not any(task.done() for task in running)
    finally:
        load.stop.set()
        await asyncio.gather(*running)
    order = [key.kid for key in await keeper.all()]
    assert load.signed_by == [order, order]
