"""A tenant's administrator at the settings of the console, in the whole application."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from fastapi import FastAPI
from sqlalchemy import text

from saas.audit.log import Event, EventFilter
from saas.kit.clock import utc_now
from saas.services import Services
from tenants.errors import NameServersSilent
from tenants.registry import Tenant
from tests.factories import PersonFactory
from tests.unit.saas.identity.world import Browser


@dataclass
class Dns:
    """What name servers say; `silent`: nothing."""

    records: dict[str, list[str]] = field(default_factory=dict)
    silent: bool = False

    async def txt(self, name: str) -> list[str]:
        if self.silent:
            raise NameServersSilent(f"The name servers do not answer for {name}: try again in a minute")
        return self.records.get(name, [])


@asynccontextmanager
async def administrator(
    app: FastAPI,
    services: Services,
    tenant: Tenant,
    *,
    email: str = "boss@people.example",
    roles: Iterable[str] = ("admin",),
    amr: Iterable[str] = ("pwd",),
) -> AsyncIterator[Browser]:
    """The browser of somebody who has just signed in."""
    browser = Browser(app, tenant)
    async with services.database.tenant_session(tenant) as session:
        user = await services.users.create(
            session, tenant, **PersonFactory(email=email, roles=roles, password_hash="x")
        )
        browser.cookie = await services.sessions.start(
            session, tenant, user.id, amr=amr, address="127.0.0.1", user_agent="test"
        )
    yield browser
    await browser.http.aclose()


async def age(services: Services, tenant: Tenant, hours: int) -> None:
    """Let everybody have signed in so many hours ago."""
    async with services.database.tenant_session(tenant) as session:
        past = {"at": utc_now() - timedelta(hours=hours)}
        await session.execute(text("UPDATE sessions SET authenticated_at = :at, confirmed_at = :at"), past)


async def events(services: Services, tenant: Tenant, *actions: str) -> list[Event]:
    """Of these actions, the newest first."""
    async with services.database.tenant_session(tenant) as session:
        found = (await services.audit.list(session, EventFilter(), limit=50)).items
    return [event for event in found if event.action in actions]
