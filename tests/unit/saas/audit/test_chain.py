"""The chain holds: what is recorded is written with what it tells of, and what is tampered with is found."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from saas.audit.actor import Actor, acting_as
from saas.audit.log import EventFilter
from saas.audit.retention import prune
from saas.audit.service import Target, record
from saas.audit.verify import Anchor, verify
from saas.services import Services
from tenants.base import utc_now
from tenants.registry import Tenant
from tenants.statements import Statement

Tamper = Callable[[str], Awaitable[None]]


async def write(services: Services, tenant: Tenant, *names: str) -> None:
    """An event in a transaction of its own for each."""
    for name in names:
        async with services.database.tenant_session(tenant) as session:
            record(session, "role.created", target=Target("role", name, name), details={"scopes": {"b", "a"}})


async def test_events_form_a_chain(services: Services, tenant: Tenant) -> None:
    await write(services, tenant, "one", "two")
    verdict = await verify(services.database, tenant)
    assert verdict.broken is None
    print(verdict)
