"""How the token endpoint hears of rotations and revocations, and what it asks of the database otherwise: nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from httpx import AsyncClient
from sqlalchemy import event

from saas.oauth.clients import ClientService, NewClient
from saas.services import Services
from tenants.changes import Changes
from tenants.database import Database
from tenants.registry import Tenant
from tests.factories import MachineFactory
from tests.unit.saas.oauth.conftest import CATALOGUE, GRANT, TOKEN, World, assert_refused


async def test_after_a_rotation_both_secrets_work_until_the_old_one_ends(
    world: World, http: AsyncClient, client: NewClient
) -> None:
    async def status(secret: str) -> int:
        return (await http.post(TOKEN, data=GRANT, auth=(client.client_id, secret))).status_code

    async def rotate(overlap: float) -> str:
        async with world.database.tenant_session(world.acme) as session:
            return await world.clients.rotate_secret(session, world.acme, client.client_id, timedelta(seconds=overlap))

    second = await rotate(3600)
    assert (await status(client.secret), await status(second)) == (200, 200)
    third = await rotate(0.5)
    # No change is announced when it ends: the cached record knows its time.
    await until(lambda: status(second), 401)
    assert (await status(client.secret), await status(third)) == (401, 200)
    fourth = await rotate(0)
    assert (await status(third), await status(fourth)) == (401, 200)


async def test_what_another_process_revokes_is_refused_here(world: World, http: AsyncClient, client: NewClient) -> None:
    assert (await http.post(TOKEN, data=GRANT, auth=client)).status_code == 200

    async def publish(message: bytes) -> None:
        world.changes.received(message)

    there = Changes(publish)
    database = Database(
        world.database.engine.url.render_as_string(hide_password=False), pool_size=1, on_commit=there.committed
    )
    async with database.tenant_session(world.acme) as session:
        await ClientService(database, CATALOGUE, there).revoke(session, world.acme, client.client_id)
    await database.close()
    assert_refused(await http.post(TOKEN, data=GRANT, auth=client), 401, "invalid_client")


async def test_in_the_steady_state_nothing_is_asked_of_the_database(
    world: World, http: AsyncClient, client: NewClient
) -> None:
    with taken(world.database) as first:
        assert (await http.post(TOKEN, data=GRANT, auth=client)).status_code == 200
    with taken(world.database) as second:
        for _ in range(20):
            assert (await http.post(TOKEN, data=GRANT, auth=client)).status_code == 200
        assert (await http.post(TOKEN, data=GRANT, auth=(client.client_id, "wrong"))).status_code == 401
        assert (await http.get("/oauth2/jwks")).status_code == 200
        assert (await http.get("/.well-known/oauth-authorization-server")).status_code == 200
    assert first
    assert second == []


async def test_a_server_refuses_what_a_command_revokes_within_a_second(
    services: Services, tenant: Tenant, client_of: Callable[[Tenant], AsyncClient]
) -> None:
    async with services.database.tenant_session(tenant) as session:
        client = await services.clients.create(
            session,
            tenant,
            MachineFactory(scopes=["projects:read"]),
        )
    http = client_of(tenant)  # of an application with services, and so caches, of its own
    assert (await http.post(TOKEN, data=GRANT, auth=client)).status_code == 200
    async with services.database.tenant_session(tenant) as session:
        await services.clients.revoke(session, tenant, client.client_id)

    async def status() -> int:
        return (await http.post(TOKEN, data=GRANT, auth=client)).status_code

    await until(status, 401, within=1)


async def until(status: Callable[[], Awaitable[int]], expected: int, within: float = 10) -> None:
    """Ask again and again, for at most `within` seconds."""
    async with asyncio.timeout(within):
        while await status() != expected:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


@contextmanager
def taken(database: Database) -> Iterator[list[object]]:
    """The connections that anything takes, with whatever it is going to ask."""
    seen: list[object] = []

    def note(connection: object, *_: object) -> None:
        seen.append(connection)

    pool = database.engine.sync_engine.pool
    event.listen(pool, "checkout", note)
    try:
        yield seen
    finally:
        event.remove(pool, "checkout", note)
