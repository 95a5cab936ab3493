"""Killed with SIGKILL at every commit, before it and after it: nobody is served half a tenant, and a rerun finishes."""

import asyncio
import os
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text

from saas.identity.models import UserRow
from saas.identity.passwords import verify_password
from saas.keys.models import SigningKeyRow
from saas.onboarding.service import Onboarded, onboard
from saas.services import Services
from tenants import provisioning
from tenants.errors import TenantNotFound, TenantNotReady
from tenants.migrate.render import TENANT
from tenants.resolver import Resolver

ROOT = Path(__file__).parents[4]


async def kill_at_every_point(what: str, environment: dict[str, str]) -> list[str]:
    """The slugs of the attempts, the last of which was not killed."""
    prefix = f"k{uuid4().hex[:8]}-"
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.unit.saas.onboarding.killed", what, prefix),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await program.communicate()
    return [f"{prefix}{lives}" for lives in range(1, int(output) + 1)]


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
    """Schemas of tenants that the registry does not know."""
    found = text(
        "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname LIKE 't\\_%' "
        "AND nspname NOT IN (SELECT schema FROM platform.tenants)"
    )
    async with services.database.platform_session() as session:
        return set(await session.scalars(found))


async def test_creating_is_finished_by_a_rerun(services: Services, environment: dict[str, str]) -> None:
    *killed, survivor = await kill_at_every_point("create", environment)
    assert len(killed) >= 6  # row, schema, and the rest: before and after each
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


async def test_deleting_is_finished_by_a_rerun(services: Services, environment: dict[str, str]) -> None:
    before = await orphans(services)
    *killed, survivor = await kill_at_every_point("delete", environment)
    assert len(killed) >= 6  # mark, schema, row: before and after each
    purged = []

    async def purge(tenant_id: object) -> None:
        purged.append(tenant_id)

    for slug in killed[:-1]:
        await provisioning.delete(services.database, slug, purge=purge)
    for slug in (killed[-1], survivor):
        with pytest.raises(TenantNotFound):
            await provisioning.delete(services.database, slug, purge=purge)
    assert await orphans(services) <= before
    async with services.database.platform_session() as session:
        left = await services.registry.all(session)
    assert not {tenant.slug for tenant in left} & {*killed, survivor}
