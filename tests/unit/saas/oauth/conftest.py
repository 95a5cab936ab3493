"""Two tenants, and an application of the protocol endpoints alone: without limits, and with scopes of its own."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from httpx import ASGITransport, AsyncClient, Response
from joserfc import jwt
from joserfc.jwk import KeySet
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from saas.access.scopes import Scope as AccessScope
from saas.access.scopes import ScopeCatalogue
from saas.keys.service import KeyService
from saas.oauth.clients import ClientService, NewClient
from saas.oauth.routes import routes
from saas.services import Services
from saas.settings import Settings
from tenants.changes import Changes
from tenants.database import Database
from tenants.registry import Tenant
from tests.conftest import MakeTenant
from tests.factories import MachineFactory
from tests.unit.saas.oauth.flow import Flow, build_flow

CATALOGUE = ScopeCatalogue(
    [
        AccessScope("projects:read", "See projects", "Projects"),
        AccessScope("projects:write", "Change projects", "Projects"),
        AccessScope("billing:read", "See invoices", "Billing", sensitive=True),
    ]
)

TOKEN = "/oauth2/token"
GRANT = {"grant_type": "client_credentials"}


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
                MachineFactory(
                    scopes=scopes.split(), default_scopes=None if default_scopes is None else default_scopes.split()
                ),
            )


@pytest.fixture(scope="package")
async def world(services: Services, make_tenant: MakeTenant) -> World:
    clients = ClientService(services.database, CATALOGUE, services.changes)
    app = Starlette(routes=routes)
    app.state.keys, app.state.clients, app.state.catalogue = services.keys, clients, CATALOGUE
    app.state.settings = services.settings
    acme, globex = await make_tenant(), await make_tenant()
    return World(services.database, services.changes, services.keys, clients, acme, globex, app)


@pytest.fixture
async def client(world: World) -> NewClient:
    return await world.new_client(world.acme)


@pytest.fixture
async def http(world: World) -> AsyncIterator[AsyncClient]:
    async with world.http(world.acme) as http:
        yield http


def at(app: ASGIApp, tenant: Tenant) -> ASGIApp:
    async def with_tenant(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "tenant": tenant}, receive, send)

    return with_tenant


def assert_refused(response: Response, status: int, error: str) -> None:
    """RFC 6749 section 5.2."""
    body = response.json()
    assert (response.status_code, body["error"]) == (status, error)
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["pragma"] == "no-cache"
    assert set(body) <= {"error", "error_description", "error_uri"}
    assert all(" " <= char <= "~" and char not in '"\\' for char in body.get("error_description", ""))
    if status == 401:
        assert response.headers["www-authenticate"].startswith("Basic ")


async def decode(http: AsyncClient, token: str) -> jwt.Token:
    """Verify with the keys that the metadata leads to."""
    document = (await http.get("/.well-known/oauth-authorization-server")).json()
    keys = (await http.get(document["jwks_uri"])).content
    return jwt.decode(token, KeySet.import_key_set(json.loads(keys)), algorithms=["ES256"])


@pytest.fixture
async def flow(services: Services, settings: Settings) -> AsyncIterator[Flow]:
    flow = build_flow(services, settings)
    try:
        yield flow
    finally:
        await flow.people.close()
