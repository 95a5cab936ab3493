"""Counting as requests do, and what of it is in the database."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from saas.ratelimit.limiter import Subject
from saas.ratelimit.policy import limits_for
from saas.services import Services
from saas.usage.service import Use
from tenants.registry import Tenant

#: Long before all hours that a test counts in, and long after.
EVER = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
#: `await ask(tenant, 3)`: three requests of a client, one after the other; how many were let through.
Ask = Callable[..., Awaitable[int]]
Entered = Callable[[Tenant], Awaitable[dict[str, Use]]]


@pytest.fixture
def ask(services: Services) -> Ask:
    async def run(tenant: Tenant, requests: int, client: str = "c", cost: int = 1, *, shadow: bool = False) -> int:
        subject, limits = Subject(tenant.id, client=client, counts=True), limits_for(tenant.plan)
        passed = 0
        for _ in range(requests):
            verdict = await services.limiter.check(subject, limits, cost, shadow=shadow)
            passed += verdict.allowed
            if verdict.lease:
                services.limiter.release(verdict.lease)
        return passed

    return run


@pytest.fixture
def entered(services: Services) -> Entered:
    """What the hours say of each client."""

    async def read(tenant: Tenant) -> dict[str, Use]:
        async with services.database.tenant_session(tenant) as session:
            return {each.client_id: each.use for each in await services.usage.clients(session, *EVER)}

    return read
