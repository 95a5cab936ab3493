import time

import pytest

from saas.access.errors import InvalidToken
from saas.access.verifier import TokenVerifier
from tenants.registry import Tenant
from tests.unit.saas.access.world import World, world

__all__ = ["world"]


class Clock:
    def __init__(self) -> None:
        self.value = float(int(time.time()))

    def __call__(self) -> float:
        return self.value


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def live() -> set[str]:
    return {"app_1"}


@pytest.fixture
def verifier(world: World, clock: Clock, live: set[str]) -> TokenVerifier:
    async def client_is_live(_: Tenant, client_id: str, __: int) -> bool:
        return client_id in live

    return TokenVerifier(world.keys, client_is_live, world.changes, size=3, now=clock)


async def refused(verifier: TokenVerifier, tenant: Tenant, token: str) -> str:
    with pytest.raises(InvalidToken) as caught:
        await verifier.verify(tenant, token)
    return caught.value.detail
