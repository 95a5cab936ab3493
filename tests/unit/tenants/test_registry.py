from collections.abc import Callable

import pytest
from sqlalchemy import text

from tenants import provisioning
from tenants.errors import PlanNotFound, TenantNotFound, TenantNotReady
from tenants.plan_versions import set_plan
from tenants.registry import Tenant
from tests.unit.tenants.conftest import ORIGIN, Process, Statements, new_slug


async def test_tenant_is_found_with_plan_and_domains_in_one_statement(process: Process) -> None:
    made = await process.make(plan="pro", domain=f"{new_slug()}.example.org")
    statements = Statements(process)
    found = await process.registry.by_host(made.host)
    assert statements.count == 1
    assert found == made
    assert found is not None
    assert (found.plan.name, found.plan.version, found.plan.requests_per_minute) == ("pro", 1, 600)
    assert found.issuer == f"https://{made.slug}.example.com"
    assert await process.registry.by_host(made.domains[0]) == made
    assert await process.registry.by_slug(made.slug) == made
    assert statements.count == 3
    for _ in range(3):
        await process.registry.by_host(f" {made.host.upper()}:8443 ")
        await process.registry.by_slug(made.slug)
    assert statements.count == 3


async def test_missing_is_kept_until_it_is_made(process: Process) -> None:
    slug = new_slug()
    statements = Statements(process)
    for _ in range(3):
        assert await process.registry.by_slug(slug) is None
        assert await process.registry.by_host(ORIGIN.host_of(slug)) is None
    assert statements.count == 2
    await process.make(slug)
    found = await process.registry.by_host(ORIGIN.host_of(slug))
    assert found is not None
    assert found.status == "active"


@pytest.mark.parametrize("host", ["", ".", "a..b", "x" * 300, "a\0b.example.com", "é.example.com", "[::1]", "' OR 1=1"])
async def test_what_no_host_can_be_does_not_reach_the_database(process: Process, host: str) -> None:
    statements = Statements(process)
    assert await process.registry.by_host(host) is None
    assert await process.registry.by_slug(host) is None
    assert statements.count == 0


async def test_get_and_all(process: Process) -> None:
    made = await process.make()
    async with process.database.platform_session() as session:
        assert await process.registry.get(session, made.slug) == made
        tenants = await process.registry.all(session)
        assert made in tenants
        assert [tenant.slug for tenant in tenants] == sorted(tenant.slug for tenant in tenants)
        for slug in (new_slug(), "not a slug", "\0"):
            with pytest.raises(TenantNotFound, match="saas tenants list"):
                await process.registry.get(session, slug)


async def test_suspend_and_resume_are_idempotent(process: Process) -> None:
    made = await process.make()
    process.sent.clear()
    for _ in range(2):
        async with process.database.platform_session() as session:
            suspended = await process.registry.suspend(session, made.slug, "unpaid")
        assert (suspended.status, suspended.suspended_reason) == ("suspended", "unpaid")
    assert len(process.sent) == 1
    async with process.database.platform_session() as session:
        assert (await process.registry.suspend(session, made.slug, "abuse")).suspended_reason == "abuse"
    assert len(process.sent) == 2
    for _ in range(2):
        async with process.database.platform_session() as session:
            assert await process.registry.resume(session, made.slug) == made
    assert len(process.sent) == 3


async def test_unfinished_tenant_cannot_be_suspended(process: Process) -> None:
    slug = new_slug()
    await provisioning.create_row(process.database, process.registry, slug=slug, name="X", plan="free")
    async with process.database.platform_session() as session:
        with pytest.raises(TenantNotReady, match="saas tenants create"):
            await process.registry.suspend(session, slug, "why")
        with pytest.raises(TenantNotReady, match="saas tenants create"):
            await process.registry.get_made(session, slug)
        await session.execute(
            text("UPDATE platform.tenants SET status = 'deleting' WHERE slug = :slug"), {"slug": slug}
        )
    async with process.database.platform_session() as session:
        with pytest.raises(TenantNotReady, match="saas tenants delete"):
            await process.registry.resume(session, slug)
        with pytest.raises(TenantNotFound):
            await process.registry.resume(session, new_slug())


async def test_set_plan(process: Process) -> None:
    made = await process.make()
    process.sent.clear()
    async with process.database.platform_session() as session:
        assert (await process.registry.set_plan(session, made.slug, "enterprise")).plan.burst >= 600
        assert (await process.registry.set_plan(session, made.slug, "enterprise")).plan.name == "enterprise"
    assert len(process.sent) == 1
    async with process.database.platform_session() as session:
        with pytest.raises(PlanNotFound, match="free, pro, enterprise"):
            await process.registry.set_plan(session, made.slug, "gold")


async def test_messages_keep_two_processes_together(start: Callable[[], Process]) -> None:
    server, command = start(), start()
    command.peers.append(server)
    made = await command.make()
    assert await server.registry.by_host(made.host) == made
    async with command.database.platform_session() as session:
        suspended = await command.registry.suspend(session, made.slug, "unpaid")
    assert await server.registry.by_host(made.host) == suspended
    async with command.database.platform_session() as session:
        await set_plan(session, "enterprise", {"burst": "601"})
        enterprise = await command.registry.set_plan(session, made.slug, "enterprise")
    assert enterprise.plan.burst == 601
    assert await server.registry.by_slug(made.slug) == enterprise


async def test_polling_finds_what_messages_did_not_tell(start: Callable[[], Process]) -> None:
    server, command = start(), start()
    made = await command.make()
    await _poll(server)
    assert await server.registry.by_host(made.host) == made
    async with command.database.platform_session() as session:
        suspended = await command.registry.suspend(session, made.slug, "unpaid")
    assert await server.registry.by_host(made.host) == made  # nothing told it
    await _poll(server)
    assert await server.registry.by_host(made.host) == suspended


async def test_one_lost_message_is_noticed_at_the_next(start: Callable[[], Process]) -> None:
    server, command = start(), start()
    lost, heard = await command.make(), await command.make()
    await _poll(server)
    assert await server.registry.by_slug(lost.slug) == lost
    await _suspend(command, lost)
    command.peers.append(server)
    await _suspend(command, heard)
    found = await server.registry.by_slug(lost.slug)
    assert found is not None
    assert found.status == "suspended"


async def _suspend(process: Process, tenant: Tenant) -> None:
    async with process.database.platform_session() as session:
        await process.registry.suspend(session, tenant.slug, "why")


async def _poll(process: Process) -> None:
    async with process.database.platform_session() as session:
        await process.changes.poll(session)
