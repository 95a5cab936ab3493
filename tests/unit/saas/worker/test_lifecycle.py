"""The worker's look at what has become due in the registry, and what is left where it was killed."""

import dataclasses
from datetime import timedelta

import pytest
from sqlalchemy import text

from saas.services import Services
from saas.worker import lifecycle as jobs
from saas.worker.jobs import platform_jobs_of
from saas.worker.loop import Worker
from tenants import domains, lifecycle, provisioning
from tenants.errors import SchemaBusy
from tenants.registry import Tenant
from tests.conftest import MakeTenant


async def delete(services: Services, tenant: Tenant, grace: timedelta) -> None:
    async with services.database.platform_session() as session:
        await lifecycle.delete(session, services.registry, tenant.slug, grace=grace)


async def test_deleted_tenants_are_purged_when_their_time_is_over(
    services: Services, make_tenant: MakeTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, killed, gone = await make_tenant(), await make_tenant(), await make_tenant()
    await delete(services, kept, timedelta(days=1))
    await delete(services, gone, timedelta(0))
    await services.redis.set(f"{{{gone.id}}}:something", "1")
    async with services.database.platform_session() as session:
        await session.execute(text("UPDATE platform.tenants SET status = 'deleting' WHERE id = :id"), {"id": killed.id})
        await session.execute(text(f'DROP SCHEMA "{killed.schema}" CASCADE'))
    purges = [job for job in platform_jobs_of(services) if job.name == "purges"]
    (outcome,) = await Worker(services, platform_jobs=purges).once()
    assert (outcome.done, outcome.failed) == (2, 0)
    async with services.database.platform_session() as session:
        left = {tenant.id for tenant in await services.registry.all(session)}
        schema = await session.scalar(text("SELECT to_regnamespace(:schema)"), {"schema": gone.schema})
    assert left & {kept.id, killed.id, gone.id} == {kept.id}
    assert schema is None
    await delete(services, kept, timedelta(0))

    async def busy(*_: object, **__: object) -> None:
        raise SchemaBusy("In use")

    with monkeypatch.context() as patch:
        patch.setattr(provisioning, "delete", busy)
        (outcome,) = await Worker(services, platform_jobs=purges).once()
        assert (outcome.done, outcome.failed) == (0, 1)
    assert await jobs.purge_tenants(services) == 1


async def test_domains_are_proved_once_their_record_is_there(services: Services, tenant: Tenant) -> None:
    records: dict[str, list[str]] = {}

    class Zone:
        async def txt(self, name: str) -> list[str]:
            return records.get(name, [])

    looking = dataclasses.replace(services, txt=Zone())
    hosts = [f"{label}.{tenant.slug}.example" for label in ("a", "b")]
    async with services.database.platform_session() as session:
        claims = [await domains.add_domain(session, services.registry, tenant, host) for host in hosts]
    records[claims[0].record or ""] = [claims[0].value or ""]
    assert await jobs.verify_domains(looking) == 1
    found = await services.registry.by_host(hosts[0])
    assert found is not None
    assert found.domains == (hosts[0],)
    records[claims[1].record or ""] = [claims[1].value or ""]
    assert await jobs.verify_domains(looking) == 0, "it was looked at a moment ago"
    async with services.database.platform_session() as session:
        await session.execute(text("UPDATE platform.domain_claims SET checked_at = now() - interval '1 h'"))
    assert await jobs.verify_domains(looking) == 1


async def test_former_hosts_are_forgotten_when_their_time_is_over(services: Services, tenant: Tenant) -> None:
    async with services.database.platform_session() as session:
        await lifecycle.rename(
            session, services.registry, tenant.slug, f"{tenant.slug}-next", redirect_for=timedelta(days=1)
        )
    assert await jobs.forget_former_hosts(services) == 0
    async with services.database.platform_session() as session:
        await session.execute(text("UPDATE platform.former_hosts SET until = now()"))
    assert await jobs.forget_former_hosts(services) == 1
