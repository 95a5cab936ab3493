"""Fixtures that every test may use. The servers are real: PostgreSQL and Valkey from their wheels."""

import asyncio
import base64
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from saas.dev import Servers, embedded
from saas.identity.passwords import hash_password
from saas.kit.background import end
from saas.kit.garbage import started, starting
from saas.main import create_app
from saas.onboarding.service import onboard
from saas.services import Services, open_services
from saas.settings import Settings
from tenants.database import Database
from tenants.migrate.runner import migrate_platform
from tenants.registry import Tenant
from tenants.warm import refill
from tests import hashes
from tests.factories import OWNER_PASSWORD, MachineFactory, NewTenantFactory
from tests.leftovers import sweep
from tests.processes import Server, run_server
from tests.recycled import Recycler

# Until all tests are collected: to look for garbage, of which there is none, would take nearly half of that time.
starting()

_SHM = Path("/dev/shm")
#: Bytes that a run may leave in its database, with room to spare.
_ROOM = 4 << 30
#: Schemas that wait for tests: as many as most take at once, since one takes longer than the rest of a tenant.
_WARM = 4

MakeTenant = Callable[..., Awaitable[Tenant]]
Lend = Callable[[], AbstractAsyncContextManager[Tenant]]


class MakeMachine(Protocol):
    async def __call__(self, tenant: Tenant, scopes: Sequence[str] = ...) -> httpx.AsyncClient: ...


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """All tests are collected."""
    started()


@pytest.fixture(scope="session", autouse=True)
def cheap_hashes() -> Iterator[None]:
    with hashes.cheap():
        yield


@pytest.fixture
def dear_hashes(cheap_hashes: None) -> Iterator[None]:
    """Hashes that cost what they do in production."""
    with hashes.dear():
        yield


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Embedded PostgreSQL and Valkey, for this test session alone."""
    sweep(_SHM)
    with (
        tempfile.TemporaryDirectory(prefix="saas-test-", dir=_memory()) as folder,
        embedded(Path(folder), fast=True) as running,
    ):
        yield running


def _memory() -> Path | None:
    """Where files cost least: a tenant is some sixty of them. None where there is no room in memory."""
    return _SHM if _SHM.is_dir() and shutil.disk_usage(_SHM).free > _ROOM else None


@pytest.fixture
def terminal_signals() -> Iterator[None]:
    """Signals as a terminal leaves them. A shell's background job ignores SIGINT, `nohup` SIGHUP, and a process that a
    test starts would inherit that."""
    interrupted = signal.signal(signal.SIGINT, signal.default_int_handler)
    hung_up = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGHUP, hung_up)


@pytest.fixture
async def empty_database(servers: Servers) -> AsyncIterator[Database]:
    """A database of its own with nothing in it: for tests of migrations and of the connection itself."""
    name = f"test_{uuid4().hex}"
    admin = await asyncpg.connect(servers.database_url)
    await admin.execute(f'CREATE DATABASE "{name}"')
    database = Database(servers.database_url.replace("/postgres?", f"/{name}?"), pool_size=4)
    try:
        yield database
    finally:
        await database.close()
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin.close()


@pytest.fixture(scope="session")
def environment(servers: Servers) -> dict[str, str]:
    """The environment of a server process on the session's servers."""
    return {
        "SAAS_DATABASE_URL": servers.database_url,
        "SAAS_REDIS_URL": servers.redis_url,
        "SAAS_SECRETS_MASTER_KEY": base64.b64encode(os.urandom(32)).decode(),
        "SAAS_PUBLIC_URL": "http://localhost:8000",
        "SAAS_PUBLIC_API_HOSTS": "api.localhost",
        # A machine that is busy with tests is slow, and a limiter that decides locally counts differently.
        "SAAS_LIMITS_TIMEOUT": "5",
        # Each worker that a test starts would fill it.
        "SAAS_WORKER_POOL": "1",
        # All tests come from one address.
        "SAAS_LIMITS_PER_ADDRESS": "1000000000",
    }


@pytest.fixture
def own_environment(environment: dict[str, str], empty_database: Database) -> dict[str, str]:
    """As `environment`, with an empty database: for what acts on all tenants, of which a session makes many."""
    url = empty_database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return {**environment, "SAAS_DATABASE_URL": url}


@pytest.fixture(scope="session")
def settings(environment: dict[str, str]) -> Settings:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return Settings()


@pytest.fixture(scope="session")
async def services(settings: Settings) -> AsyncIterator[Services]:
    """The services as a command has them: what changes here reaches `app` as it would reach another process."""
    async with open_services(settings) as opened:
        await migrate_platform(opened.database)
        yield opened


@pytest.fixture(scope="session")
async def _onboard(services: Services) -> MakeTenant:
    """As `make_tenant`, and nobody makes a schema in the place of the one that this takes."""
    owner_hash = await hash_password(OWNER_PASSWORD)

    async def make(plan: str = "enterprise", domain: str | None = None) -> Tenant:
        wanted = NewTenantFactory(plan=plan, domain=domain)
        made = await onboard(services.database, services.registry, services.keys, **wanted, owner_hash=owner_hash)
        return made.tenant

    return make


@pytest.fixture(scope="session")
def make_tenant(_onboard: MakeTenant, warm_pool: asyncio.Event) -> MakeTenant:
    """Onboards a tenant with a slug of its own, for good: `await make_tenant()`, `await make_tenant(plan="free")`.

    Its owner has the password OWNER_PASSWORD.
    """

    async def make(plan: str = "enterprise", domain: str | None = None) -> Tenant:
        tenant = await _onboard(plan, domain)
        warm_pool.set()
        return tenant

    return make


@pytest.fixture(scope="session")
async def lend(servers: Servers, _onboard: MakeTenant, warm_pool: asyncio.Event) -> AsyncIterator[Lend]:
    """`async with lend() as tenant`: a tenant as `make_tenant` makes it, until the block ends. See `tests.recycled`."""
    connection = await asyncpg.connect(servers.database_url)
    recycler = await Recycler.open(connection)

    @asynccontextmanager
    async def borrowed() -> AsyncIterator[Tenant]:
        tenant = await _onboard()
        yield tenant
        if not await recycler.give_back(tenant):
            warm_pool.set()

    yield borrowed
    await connection.close()


@pytest.fixture(scope="session")
async def warm_pool(services: Services, settings: Settings) -> AsyncIterator[asyncio.Event]:
    """Schemas made ahead, and made again while tests do something else, as the worker does; set by who took one."""
    taken = asyncio.Event()
    database = Database(settings.database.url, pool_size=2)

    async def fill() -> None:
        while await refill(database, "default", _WARM):
            pass

    async def keep_full() -> None:
        while True:
            await taken.wait()
            taken.clear()
            await fill()

    await fill()

    task = asyncio.create_task(keep_full(), name="warm pool")
    yield taken
    await end(task)
    await database.close()


@pytest.fixture
async def tenant(lend: Lend) -> AsyncIterator[Tenant]:
    async with lend() as tenant:
        yield tenant


@pytest.fixture(scope="module")
async def shared_tenant(lend: Lend) -> AsyncIterator[Tenant]:
    """For tests of many cases, of which none leaves a trace that another would see: to make a tenant takes longer."""
    async with lend() as tenant:
        yield tenant


@pytest.fixture
async def other_tenant(lend: Lend) -> AsyncIterator[Tenant]:
    async with lend() as tenant:
        yield tenant


@pytest.fixture(scope="session")
async def app(settings: Settings, services: Services) -> AsyncIterator[FastAPI]:
    """The whole application in this process, with services of its own, as a server has them."""
    application = create_app(settings)
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture
async def client_of(app: FastAPI) -> AsyncIterator[Callable[[Tenant], httpx.AsyncClient]]:
    """`client_of(tenant)`: an HTTP client whose requests go to the tenant's host in `app`."""
    async with AsyncExitStack() as stack:

        def make(tenant: Tenant) -> httpx.AsyncClient:
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=tenant.issuer)
            stack.push_async_callback(client.aclose)
            return client

        yield make


@pytest.fixture
async def machine(services: Services, client_of: Callable[[Tenant], httpx.AsyncClient]) -> MakeMachine:
    """`await machine(tenant, scopes)`: an HTTP client that holds a machine client's access token."""

    async def make(tenant: Tenant, scopes: Sequence[str] = ("projects:read", "projects:write")) -> httpx.AsyncClient:
        async with services.database.tenant_session(tenant) as session:
            made = await services.clients.create(session, tenant, MachineFactory(scopes=scopes))
        client = client_of(tenant)
        answer = await client.post(
            "/oauth2/token", data={"grant_type": "client_credentials"}, auth=(made.client_id, made.secret)
        )
        answer.raise_for_status()
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return client

    return make


@pytest.fixture(scope="session")
def server(environment: dict[str, str], services: Services) -> Iterator[Server]:
    """A real server process on a free port, for tests where the wire matters. Mail goes to a page of its own."""
    with run_server(environment | {"SAAS_MAIL_MAILBOX": "true"}) as running:
        yield running
