"""`saas worker` as a service manager meets it: it tells of a logout at once, and ends in good order."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from joserfc import jws
from sqlalchemy import text

from saas.authserver.client import Client
from saas.identity.service import add_user
from saas.services import Services
from tenants.registry import Tenant
from tests.factories import AppFactory
from tests.unit.saas.oauth.receiver import Receiver, receiving

DEADLINE = 30.0


@contextmanager
def run_worker(environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "saas.cli", "worker", "--json"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"working": True}
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


async def end_a_session(services: Services, tenant: Tenant, uri: str) -> Client:
    """Of a person who has used a client that wants to be told."""
    async with services.database.tenant_session(tenant) as session:
        definition = AppFactory(backchannel_logout_uri=uri)
        made = await services.clients.create(session, tenant, definition)
    client = await services.clients.find(tenant, made.client_id)
    assert client is not None
    async with services.database.tenant_session(tenant) as session:
        user_id = await add_user(session, "ann@people.example", roles=["member"], password_hash=None)
        await services.sessions.start(session, tenant, user_id, amr=["pwd"], address="127.0.0.1", user_agent="test")
        (started,) = await services.sessions.list(session, user_id)
        took_part = "INSERT INTO oauth_session_clients (session_id, client) VALUES (:session, :client)"
        await session.execute(text(took_part), {"session": started.id, "client": client.id})
    async with services.database.tenant_session(tenant) as session:
        assert await services.sessions.end_all(session, tenant, user_id) == 1
    return client


@pytest.mark.usefixtures("terminal_signals")
async def test_workers_tell_of_a_logout_once_and_each_signal_ends_one_in_good_order(
    services: Services, tenant: Tenant, environment: dict[str, str]
) -> None:
    async with receiving(Receiver()) as receiver:
        with run_worker(environment) as one, run_worker(environment) as other, run_worker(environment) as third:
            client = await end_a_session(services, tenant, receiver.uri)
            async with asyncio.timeout(DEADLINE):
                while not receiver.tokens:  # noqa: ASYNC110 - another process does it
                    await asyncio.sleep(0.05)
            started = time.monotonic()
            one.send_signal(signal.SIGTERM)
            other.send_signal(signal.SIGINT)
            third.send_signal(signal.SIGHUP)
            codes = [await asyncio.to_thread(process.wait, DEADLINE) for process in (one, other, third)]
            assert time.monotonic() - started < 10
        assert codes == [0, 0, 0]
    (token,) = receiver.tokens
    claims = json.loads(jws.extract_compact(token.encode()).payload)
    assert (claims["iss"], claims["aud"]) == (tenant.issuer, client.client_id)
