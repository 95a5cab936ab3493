import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from sqlalchemy import text

from tenants import provisioning
from tenants.errors import (
    HostTaken,
    InvalidName,
    PlanNotFound,
    SchemaBusy,
    TenantExists,
    TenantNotFound,
    TenantNotReady,
)
from tenants.migrate import runner
from tenants.migrate.render import TENANT
from tenants.registry import Tenant
from tests.unit.tenants.conftest import Process, new_slug

Purge = Callable[[object], Awaitable[None]]


async def row(process: Process, slug: str, *, name: str = "X", plan: str = "pro", domain: str | None = None) -> Tenant:
    return await provisioning.create_row(
        process.database, process.registry, slug=slug, name=name, plan=plan, domain=domain
    )


async def test_steps_lead_to_an_active_tenant(process: Process) -> None:
    slug = new_slug()
    made = await row(process, slug, name=" Acme GmbH ", plan="pro", domain=f"Login.{slug}.example.")
    assert (made.status, made.revision, made.name) == ("provisioning", None, "Acme GmbH")
    assert made.domains == (f"login.{slug}.example",)
    assert made.schema == f"t_{made.id.hex}"
    await provisioning.ensure_schema(process.database, made)
    async with process.database.tenant_session(made) as session:
        assert await provisioning.activate(session, made)
        assert not await provisioning.activate(session, made)
    found = await process.registry.by_slug(slug)
    assert found is not None
    assert (found.status, found.revision) == ("active", TENANT.head)


async def test_unfinished_row_takes_the_latest_words(process: Process) -> None:
    slug = new_slug()
    first = await row(process, slug, domain=f"one.{slug}.example")
    second = await row(process, slug, name="Y", plan="pro", domain=f"two.{slug}.example")
    assert second.id == first.id
    assert (second.name, second.plan.name, second.domains) == ("Y", "pro", (f"two.{slug}.example",))
    other = await process.make(domain=f"one.{slug}.example")
    assert other.domains == (f"one.{slug}.example",)


async def test_existing_tenant_is_left_as_it_is(process: Process, purge: Purge) -> None:
    made = await process.make()
    with pytest.raises(TenantExists, match="saas tenants show"):
        await row(process, made.slug, name="other", plan="pro")
    assert await process.registry.by_slug(made.slug) == made
    async with process.database.platform_session() as session:
        await session.execute(
            text("UPDATE platform.tenants SET status = 'deleting' WHERE slug = :slug"), {"slug": made.slug}
        )
    with pytest.raises(TenantNotReady, match="saas tenants delete"):
        await row(process, made.slug)
    await provisioning.delete(process.database, made.slug, purge=purge)
    assert (await row(process, made.slug)).id != made.id


async def test_hosts_are_taken_once(process: Process) -> None:
    slug = new_slug()
    domain = f"login.{slug}.example"
    made = await process.make(slug, domain=domain)
    for taken in (domain, domain.upper(), made.host):
        with pytest.raises(HostTaken, match="another slug or domain"):
            await row(process, new_slug(), domain=taken)
    future = new_slug()
    await process.make(domain=f"{future}.example.com")
    with pytest.raises(HostTaken, match="another slug or domain"):
        await row(process, future)
    assert await process.registry.by_slug(future) is None


@pytest.mark.parametrize("domain", ["example.com", "api.example.com", "www.example.com", "API.Example.com."])
async def test_hosts_of_the_platform_are_not_for_tenants(process: Process, domain: str) -> None:
    with pytest.raises(HostTaken, match="platform"):
        await row(process, new_slug(), domain=domain)


async def test_wrong_input_leaves_no_row(process: Process) -> None:
    slug = new_slug()
    for name in ("", "  ", "x" * 201, "a\0b", "a\nb"):
        with pytest.raises(InvalidName):
            await row(process, slug, name=name)
    with pytest.raises(PlanNotFound, match="free"):
        await row(process, slug, plan="gold")
    with pytest.raises(InvalidName):
        await row(process, slug, domain="not a domain")
    for wrong in ("api", "Not", ""):
        with pytest.raises(InvalidName):
            await row(process, wrong)
    assert await process.registry.by_slug(slug) is None


async def test_concurrent_rows_share_one_tenant_and_one_host(process: Process) -> None:
    slug = new_slug()
    rows = await asyncio.gather(*(row(process, slug) for _ in range(6)))
    assert len({made.id for made in rows}) == 1
    domain = f"login.{slug}.example"
    results = await asyncio.gather(*(row(process, new_slug(), domain=domain) for _ in range(6)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["HostTaken"] * 5 + ["Tenant"]


async def test_delete_leaves_nothing(process: Process) -> None:
    slug = new_slug()
    made = await process.make(slug, domain=f"login.{slug}.example")
    purged: list[UUID] = []

    async def purge(tenant_id: UUID) -> None:
        assert await process.registry.by_slug(slug) is not None  # the row goes last
        purged.append(tenant_id)

    assert await process.registry.by_slug(slug) == made
    assert await provisioning.delete(process.database, slug, purge=purge) == made.id
    assert purged == [made.id]
    assert await process.registry.by_slug(slug) is None
    assert await process.registry.by_host(made.domains[0]) is None
    async with process.database.platform_session() as session:
        assert not await session.scalar(text("SELECT to_regnamespace(:schema) IS NOT NULL"), {"schema": made.schema})
        assert not await session.scalar(
            text("SELECT count(*) FROM platform.domains WHERE host LIKE :h"), {"h": f"%{slug}%"}
        )
    with pytest.raises(TenantNotFound):
        await provisioning.delete(process.database, slug, purge=purge)


async def test_delete_of_a_busy_tenant_refuses_requests_and_can_be_finished(
    process: Process, purge: Purge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "LOCK_TIMEOUT_MS", 50)
    made = await process.make()
    async with process.database.tenant_session(made) as session:
        await session.execute(text("SELECT count(*) FROM projects"))
        with pytest.raises(SchemaBusy, match="again"):
            await provisioning.delete(process.database, made.slug, purge=purge)
        found = await process.registry.by_slug(made.slug)
        assert found is not None
        assert found.status == "deleting"
    await provisioning.delete(process.database, made.slug, purge=purge)
    assert await process.registry.by_slug(made.slug) is None


async def test_failing_purge_keeps_the_row_that_tells_of_it(process: Process, purge: Purge) -> None:
    async def fail(_tenant_id: UUID) -> None:
        raise ConnectionError

    made = await process.make()
    with pytest.raises(ConnectionError):
        await provisioning.delete(process.database, made.slug, purge=fail)
    assert await process.registry.by_slug(made.slug) is not None
    await provisioning.delete(process.database, made.slug, purge=purge)
    assert await process.registry.by_slug(made.slug) is None
