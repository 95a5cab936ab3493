"""Two tenants on a real database, and an application of the protocol endpoints alone."""

import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest
from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from saas.access.scopes import Scope as AccessScope
from saas.access.scopes import ScopeCatalogue
from saas.dev import Servers
from saas.keys.service import KeyService
from saas.kit.crypto import Sealer
from saas.oauth.clients import ClientService, NewClient
from saas.oauth.routes import routes
from saas.settings import Settings
from tenants import provisioning
from tenants.changes import Changes
from tenants.database import Database
from tenants.migrate.runner import migrate_platform
from tenants.names import Origin
from tenants.registry import Registry, Tenant

CATALOGUE = ScopeCatalogue(
    [
        AccessScope("projects:read", "See projects", "Projects"),
        AccessScope("projects:write", "Change projects", "Projects"),
        AccessScope("billing:read", "See invoices", "Billing", sensitive=True),
    ]
)


@dataclass
class World:
    database: Database
    changes: Changes
    keys: KeyService
    clients: ClientService
    acme: Tenant
    globex: Tenant
    app: ASGIApp

    def http(self, tenant: Tenant) -> AsyncClient:
        """A client of the tenant's own host."""
        return AsyncClient(transport=ASGITransport(at(self.app, tenant)), base_url=tenant.issuer)

    async def new_client(
        self, tenant: Tenant, scopes: str = "projects:read projects:write", default_scopes: str | None = None
    ) -> NewClient:
        async with self.database.tenant_session(tenant) as session:
            return await self.clients.create(
                session,
                tenant,
                name="Machine",
                grant_types=["client_credentials"],
                scopes=scopes.split(),
                default_scopes=None if default_scopes is None else default_scopes.split(),
            )


@pytest.fixture(scope="package")
async def world(servers: Servers) -> AsyncIterator[World]:
    name = f"test_{uuid.uuid4().hex}"
    admin = await asyncpg.connect(servers.database_url)
    await admin.execute(f'CREATE DATABASE "{name}"')
    changes = Changes()
    url = servers.database_url.replace("/postgres?", f"/{name}?")
    database = Database(url, pool_size=4, on_commit=changes.committed)
    await migrate_platform(database)
    registry = Registry(database, Origin.parse("http://localhost:8000"), changes)
    keys = KeyService(database, Sealer(os.urandom(32)), changes)
    clients = ClientService(database, CATALOGUE, changes)
    acme, globex = [await _tenant(database, registry, keys, slug) for slug in ("acme", "globex")]
    app = Starlette(routes=routes)
    app.state.keys, app.state.clients, app.state.catalogue, app.state.settings = keys, clients, CATALOGUE, Settings()
    try:
        yield World(database, changes, keys, clients, acme, globex, app)
    finally:
        await database.close()
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin.close()


async def _tenant(database: Database, registry: Registry, keys: KeyService, slug: str) -> Tenant:
    tenant = await provisioning.create_row(database, registry, slug=slug, name=slug, plan="free")
    await provisioning.ensure_schema(database, tenant)
    async with database.tenant_session(tenant) as session:
        await keys.create_first(session, tenant.id)
        await provisioning.activate(session, tenant)
    return tenant


def at(app: ASGIApp, tenant: Tenant) -> ASGIApp:
    async def with_tenant(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "tenant": tenant}, receive, send)

    return with_tenant
