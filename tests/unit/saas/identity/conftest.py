from collections.abc import AsyncIterator

import pytest

from saas.identity.users import User
from saas.services import Services
from saas.settings import Settings
from tenants.registry import Tenant
from tests.unit.saas.identity.world import Browser, World, build_world


@pytest.fixture
async def world(services: Services, settings: Settings) -> AsyncIterator[World]:
    world = build_world(services, settings)
    try:
        yield world
    finally:
        await world.close()


@pytest.fixture
async def ann(world: World, tenant: Tenant) -> User:
    """A member of `tenant` with EMAIL and PASSWORD."""
    return await world.add_user(tenant)


@pytest.fixture
def browser(world: World, tenant: Tenant) -> Browser:
    return world.browser(tenant)
