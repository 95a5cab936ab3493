"""The application behind PgBouncer in transaction mode: few connections, many clients, and only one's own rows."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from saas.dev import Servers
from saas.main import create_app
from saas.oauth.definition import ClientDefinition
from saas.services import Services
from saas.settings import Settings
from tenants.engine import async_url
from tenants.registry import Tenant
from tests.conftest import MakeTenant
from tests.e2e.pooler import pooler

CLIENTS = 64
SERVER_CONNECTIONS = 4
ROUNDS = 2


@pytest.fixture(scope="module")
async def through(servers: Servers, services: Services) -> AsyncIterator[str]:
    assert services.settings.database.url == servers.database_url
    with tempfile.TemporaryDirectory(prefix="saas-pgbouncer-") as folder:
        async with pooler(servers.database_url, Path(folder), size=SERVER_CONNECTIONS) as url:
            yield url


@pytest.fixture(scope="module")
async def tenants(make_tenant: MakeTenant) -> list[Tenant]:
    return [await make_tenant(), await make_tenant()]


@asynccontextmanager
async def _running(settings: Settings, url: str) -> AsyncIterator[FastAPI]:
    database = settings.database.model_copy(update={"url": url, "statement_cache": False, "pool_size": CLIENTS})
    app = create_app(settings.model_copy(update={"database": database}))
    async with app.router.lifespan_context(app):
        yield app


async def test_many_clients_through_few_connections_meet_no_row_of_another(
    settings: Settings, services: Services, tenants: list[Tenant], through: str
) -> None:
    """Token requests go straight to the driver, the API through sessions: both are in the mix."""
    secrets = [await _machine(services, tenant) for tenant in tenants]
    async with _running(settings, through) as app:
        assert (await _client(app, tenants[0]).get("/readyz")).status_code == 200
        seen = await asyncio.gather(
            *(_visit(app, tenants[n % 2], secrets[n % 2], f"{tenants[n % 2].slug}-{n}") for n in range(CLIENTS))
        )
    assert min(len(names) for names in seen) >= ROUNDS
    wrong = [name for n, names in enumerate(seen) for name in names if not name.startswith(tenants[n % 2].slug)]
    assert wrong == []


async def test_a_setting_of_the_session_leaks(tenants: list[Tenant], through: str) -> None:
    """The negative control: the same pooler, with the path set on the connection as one would without a pooler."""
    engine = create_async_engine(
        async_url(through), pool_size=8, connect_args={"statement_cache_size": 0, "prepared_statement_cache_size": 0}
    )

    async def visit(tenant: Tenant) -> bool:
        async with engine.connect() as connection:
            await connection.execute(text(f'SET search_path TO "{tenant.schema}"'))
            await connection.commit()
            await asyncio.sleep(0)
            schema = await connection.scalar(text("SELECT current_schema()"))
            return bool(schema != tenant.schema)

    try:
        leaks = await asyncio.gather(*(visit(tenants[number % 2]) for number in range(CLIENTS)))
    finally:
        await engine.dispose()
    assert any(leaks)


async def _machine(services: Services, tenant: Tenant) -> tuple[str, str]:
    definition = ClientDefinition(
        name="machine", grant_types=["client_credentials"], scopes=["projects:read", "projects:write"]
    )
    async with services.database.tenant_session(tenant) as session:
        made = await services.clients.create(session, tenant, definition)
    return made.client_id, str(made.secret)


def _client(app: FastAPI, tenant: Tenant) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=tenant.issuer)


async def _visit(app: FastAPI, tenant: Tenant, secret: tuple[str, str], name: str) -> list[str]:
    """One client: a token, then projects made and listed. The names of all projects that it was shown."""
    seen: list[str] = []
    async with _client(app, tenant) as client:
        answer = await client.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=secret)
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        for number in range(ROUNDS):
            made = await client.post("/api/v1/projects", json={"name": f"{name}-{number}"})
            assert made.status_code == 201, made.text
            shown = await client.get("/api/v1/projects")
            assert shown.status_code == 200, shown.text
            seen += [project["name"] for project in shown.json()["items"]]
    return seen
