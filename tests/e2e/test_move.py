"""A tenant moves to another database and back while a real server serves it: a pause, and nothing lost or doubled."""

import asyncio
import base64
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta

import asyncpg
import httpx
import pytest
from sqlalchemy import text

from saas.audit.tenancy import tell_moved
from saas.onboarding.service import onboard
from saas.services import Services, open_services
from saas.settings import Settings
from tenants.migrate.runner import migrate_platform
from tenants.registry import Tenant
from tenants.transfer.moving import Mover
from tests.factories import MachineFactory, NewTenantFactory
from tests.processes import Server, run_server

WRITERS = 4
#: Seconds that a request may take, the pause included. A machine that is busy with tests is slow.
LONGEST = 25.0


@pytest.fixture(scope="module")
async def two(environment: dict[str, str]) -> AsyncIterator[dict[str, str]]:
    """The environment of processes on two databases of their own."""
    admin = await asyncpg.connect(environment["SAAS_DATABASE_URL"])
    names = [f"move_{secrets.token_hex(6)}" for _ in range(2)]
    for name in names:
        await admin.execute(f'CREATE DATABASE "{name}"')
    home, away = (environment["SAAS_DATABASE_URL"].replace("/postgres?", f"/{name}?") for name in names)
    yield {
        **environment,
        "SAAS_DATABASE_URL": home,
        "SAAS_DATABASES__EU": away,
        "SAAS_SECRETS_MASTER_KEY": base64.b64encode(os.urandom(32)).decode(),
    }
    for name in names:
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await admin.close()


@pytest.fixture(scope="module")
async def operator(two: dict[str, str]) -> AsyncIterator[Services]:
    """The services as a command has them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in two.items():
            patch.setenv(name, value)
        settings = Settings()
    async with open_services(settings) as opened:
        await migrate_platform(opened.database)
        yield opened


class Traffic:
    """Writers and a reader of one tenant, until `stop` is set."""

    def __init__(self, server: Server, tenant: Tenant, token: str) -> None:
        self.stop = asyncio.Event()
        self._wrote = asyncio.Event()
        self.written: list[str] = []
        self.failed: list[tuple[int, str]] = []
        self.missing: list[str] = []
        self.slowest = 0.0
        self._client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{server.port}",
            headers={"Host": tenant.host, "Authorization": f"Bearer {token}"},
            timeout=60,
        )

    async def run(self) -> None:
        async with self._client:
            await asyncio.gather(*(self._write(f"w{number}") for number in range(WRITERS)), self._read())

    async def _write(self, name: str) -> None:
        number = 0
        while not self.stop.is_set():
            number += 1
            answer = await self._timed(self._client.post("/api/v1/projects", json={"name": f"{name}-{number}"}))
            if answer.status_code == httpx.codes.CREATED:
                self.written.append(answer.json()["id"])
                self._wrote.set()

    async def _read(self) -> None:
        """Whatever was written is there to be read, at every moment."""
        while not self.stop.is_set():
            if self.written:
                newest = self.written[-1]
                answer = await self._timed(self._client.get(f"/api/v1/projects/{newest}"))
                if answer.status_code == httpx.codes.NOT_FOUND:
                    self.missing.append(newest)
            await asyncio.sleep(0)

    async def _timed(self, request: Awaitable[httpx.Response]) -> httpx.Response:
        started = time.monotonic()
        answer = await request
        self.slowest = max(self.slowest, time.monotonic() - started)
        if answer.is_error:
            self.failed.append((answer.status_code, answer.text))
        return answer

    async def until_more(self, count: int) -> None:
        target = len(self.written) + count
        async with asyncio.timeout(60):
            while len(self.written) < target:
                self._wrote.clear()
                await self._wrote.wait()


async def test_nobody_notices_but_for_a_pause(two: dict[str, str], operator: Services) -> None:
    made = await onboard(
        operator.database,
        operator.registry,
        operator.keys,
        **NewTenantFactory(plan="enterprise"),
        on="default",
        owner_hash="of nobody's password",
    )
    async with operator.database.tenant_session(made.tenant) as session:
        machine = await operator.clients.create(session, made.tenant, MachineFactory())
    with run_server(two) as server:
        with server.client(made.tenant) as client:
            answer = client.post(
                "/oauth2/token",
                data={"grant_type": "client_credentials"},
                auth=(machine.client_id, str(machine.secret)),
            )
        traffic = Traffic(server, made.tenant, answer.json()["access_token"])
        running = asyncio.create_task(traffic.run())
        mover = Mover(operator.database, operator.registry, told=tell_moved)
        try:
            for target in ("eu", "default"):
                await traffic.until_more(20)
                moved = await mover.move(made.tenant.slug, target, timedelta(days=7))
                assert moved.rows > 20
            await traffic.until_more(20)
        finally:
            traffic.stop.set()
            await running
    assert traffic.failed == []
    assert traffic.missing == []
    assert traffic.slowest < LONGEST
    async with operator.database.tenant_session(made.tenant) as session:
        stored = list(await session.scalars(text("SELECT id::text FROM projects")))
        moves = await session.scalar(text("SELECT count(*) FROM audit_events WHERE action = 'tenant.moved'"))
    assert sorted(stored) == sorted(traffic.written)
    assert moves == 2
