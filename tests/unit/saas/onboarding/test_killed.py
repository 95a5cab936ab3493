"""Killed with SIGKILL at every commit, before it and after it: nobody is served half a tenant, and a rerun finishes."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text

from saas.identity.models import UserRow
from saas.identity.passwords import verify_password
from saas.keys.models import SigningKeyRow
from saas.onboarding.service import Onboarded, onboard
from saas.services import Services, open_services
from saas.settings import Settings
from saas.worker.lifecycle import purge_tenants
from tenants import provisioning
from tenants.errors import TenantNotFound, TenantNotReady
from tenants.migrate.render import TENANT
from tenants.migrate.runner import migrate_platform
from tenants.resolver import Resolver

Program = asyncio.subprocess.Process
KillAtEveryPoint = Callable[[str], Awaitable[list[str]]]

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
async def program(environment: dict[str, str]) -> AsyncIterator[Program]:
    """Started once: its imports take longer than what it does."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.unit.saas.onboarding.killed"),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    yield running
    assert running.stdin is not None
    running.stdin.close()
    await running.wait()


@pytest.fixture
def kill_at_every_point(program: Program, own_environment: dict[str, str]) -> KillAtEveryPoint:
    """`await kill_at_every_point("create")`: the slugs of the attempts, the last of which was not killed."""

    async def kill(what: str) -> list[str]:
        assert program.stdin is not None
        assert program.stdout is not None
        prefix = f"k{uuid4().hex[:8]}-"
        program.stdin.write(f"{what} {prefix} {own_environment['SAAS_DATABASE_URL']}\n".encode())
        attempts = int(await program.stdout.readline())
        return [f"{prefix}{lives}" for lives in range(1, attempts + 1)]

    return kill


async def finish(services: Services, slug: str) -> Onboarded:
    return await onboard(
        services.database,
        services.registry,
        services.keys,
        slug=slug,
        name="Finished",
        plan="pro",
        owner_email=f"owner@{slug}.example",
    )


async def check_whole(services: Services, done: Onboarded) -> None:
    assert (done.tenant.status, done.tenant.revision) == ("active", TENANT.head)
    assert (await services.keys.ring(done.tenant)).jwks()["keys"]
    async with services.database.tenant_session(done.tenant) as session:
        users = (await session.execute(select(UserRow.email, UserRow.password_hash))).all()
        keys = await session.scalar(select(func.count()).where(SigningKeyRow.status == "active"))
    assert keys == 1
    assert [email for email, _ in users] == [f"owner@{done.tenant.slug}.example"]
    if done.created:
        assert await verify_password(done.owner_password or "", users[0][1] or "")


async def orphans(services: Services) -> set[str]:
    """Schemas of tenants that neither the registry nor its pool knows."""
    found = text(
        "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname LIKE 't\\_%' "
        "AND nspname NOT IN (SELECT schema FROM platform.tenants UNION SELECT schema FROM platform.schema_pool)"
    )
    async with services.database.platform_session() as session:
        return set(await session.scalars(found))


@pytest.fixture
async def services(own_environment: dict[str, str]) -> AsyncIterator[Services]:
    """On a database of their own, whose pool nobody else fills."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in own_environment.items():
            patch.setenv(name, value)
        settings = Settings()
    async with open_services(settings) as opened:
        await migrate_platform(opened.database)
        yield opened


@pytest.mark.parametrize(("how", "points"), [("create", 6), ("create-pooled", 4)])
async def test_creating_is_finished_by_a_rerun(
    services: Services, kill_at_every_point: KillAtEveryPoint, how: str, points: int
) -> None:
    *killed, survivor = await kill_at_every_point(how)
    assert len(killed) >= points  # row, schema unless it was ready, and the rest: before and after each
    resolver = Resolver(services.registry, frozenset())
    created = []
    for slug in killed:
        host = services.registry.origin.host_of(slug)
        try:
            await resolver.resolve(host, None)
        except (TenantNotFound, TenantNotReady):
            served = False
        else:
            served = True
        done = await finish(services, slug)
        assert done.created is not served
        created.append(done.created)
        await check_whole(services, done)
        again = await finish(services, slug)
        assert (again.created, again.owner_password, again.tenant) == (False, None, done.tenant)
        assert (await resolver.resolve(host, None)).id == done.tenant.id
    assert created == [True] * (len(created) - 1) + [False]  # all but the one that died after the last commit
    assert not (await finish(services, survivor)).created


async def test_filling_the_pool_loses_no_schema_and_shows_none_that_is_half_made(
    services: Services, kill_at_every_point: KillAtEveryPoint
) -> None:
    killed = await kill_at_every_point("refill")  # which looks at the pool after each kill
    assert len(killed) > 12  # to drop one: mark, schema, row; to make one: row, schema, mark
    assert await orphans(services) == set()


async def test_deleting_is_finished_by_a_rerun(services: Services, kill_at_every_point: KillAtEveryPoint) -> None:
    *killed, survivor = await kill_at_every_point("delete")
    assert len(killed) >= 6  # mark, schema, row: before and after each
    purged = []

    async def purge(tenant_id: object) -> None:
        purged.append(tenant_id)

    for slug in killed[:-1]:
        await provisioning.delete(services.database, slug, purge=purge)
    for slug in (killed[-1], survivor):
        with pytest.raises(TenantNotFound):
            await provisioning.delete(services.database, slug, purge=purge)
    assert await orphans(services) == set()
    async with services.database.platform_session() as session:
        left = await services.registry.all(session)
    assert not {tenant.slug for tenant in left} & {*killed, survivor}


async def test_a_purge_is_finished_by_the_worker(services: Services, kill_at_every_point: KillAtEveryPoint) -> None:
    *killed, survivor = await kill_at_every_point("delete-and-purge")
    assert len(killed) == 4  # delete, claim: before and after; the rest is what `delete` does
    assert await purge_tenants(services) == 4
    assert await purge_tenants(services) == 0
    async with services.database.platform_session() as session:
        left = {tenant.slug: tenant.status for tenant in await services.registry.all(session)}
    # Who died before the first commit has deleted nothing, whoever died later has left the rest to the worker.
    assert {slug: left.get(slug) for slug in (*killed, survivor)} == {
        slug: "active" if slug == killed[0] else None for slug in (*killed, survivor)
    }
    assert await orphans(services) == set()
