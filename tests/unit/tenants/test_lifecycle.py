from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from tenants import lifecycle, provisioning
from tenants.errors import (
    HostTaken,
    InvalidName,
    TenantExists,
    TenantNotFound,
    TenantNotReady,
    TenantRenamed,
    TenantSuspended,
)
from tenants.registry import Tenant
from tenants.resolver import Resolver
from tests.unit.tenants.conftest import Process, new_slug

Purge = Callable[[object], Awaitable[None]]
API = "api.example.com"
MONTH = timedelta(days=30)


async def rename(process: Process, slug: str, new: str, keep: timedelta = MONTH, name: str | None = None) -> Tenant:
    async with process.database.platform_session() as session:
        return await lifecycle.rename(session, process.registry, slug, new, name=name, redirect_for=keep)


async def delete(process: Process, slug: str, grace: timedelta = MONTH) -> Tenant:
    async with process.database.platform_session() as session:
        return await lifecycle.delete(session, process.registry, slug, grace=grace)


async def forget(process: Process) -> int:
    async with process.database.platform_session() as session:
        return await lifecycle.forget_former_hosts(session)


async def end_of_redirects(process: Process, slug: str) -> None:
    async with process.database.platform_session() as session:
        await session.execute(
            text("UPDATE platform.former_hosts SET until = now() - interval '1 s' WHERE slug = :slug"), {"slug": slug}
        )


async def test_a_renamed_tenant_is_found_at_both_hosts_and_served_at_one(process: Process) -> None:
    made = await process.make(domain=f"login.{new_slug()}.example")
    resolver = Resolver(process.registry, frozenset({API}))
    assert await resolver.resolve(made.host, None) == made  # cached
    new = new_slug()
    renamed = await rename(process, made.slug, new, name="Next GmbH")
    assert (renamed.id, renamed.schema, renamed.name) == (made.id, made.schema, "Next GmbH")
    assert (renamed.slug, renamed.host, renamed.issuer) == (new, f"{new}.example.com", f"https://{new}.example.com")
    assert await resolver.resolve(renamed.host, None) == renamed
    assert await resolver.resolve(made.domains[0], None) == renamed
    for header in (None, made.slug, new):
        with pytest.raises(TenantRenamed, match=renamed.host) as redirect:
            await resolver.resolve(made.host, header)
        assert redirect.value.address == renamed.issuer
    assert await resolver.resolve(API, made.slug) == await resolver.resolve(API, new) == renamed
    assert await resolver.resolve(renamed.host, made.slug) == renamed
    async with process.database.platform_session() as session:
        await process.registry.suspend(session, new, "unpaid")
    with pytest.raises(TenantSuspended, match="unpaid"):
        await resolver.resolve(made.host, None)


async def test_former_names_are_kept_for_the_tenant_and_then_anybodys(process: Process) -> None:
    made = await process.make()
    second, third, other = new_slug(), new_slug(), await process.make()
    await rename(process, made.slug, second)
    await rename(process, second, third)
    for taken in (made.slug, second):
        with pytest.raises(HostTaken, match="renamed, until"):
            await rename(process, other.slug, taken)
        with pytest.raises(HostTaken, match="renamed, until"):
            await process.make(taken)
        with pytest.raises(HostTaken, match="renamed, until"):
            await process.make(domain=f"{taken}.example.com")
        found = await process.registry.by_host(f"{taken}.example.com")
        assert found is not None
        assert found.slug == third
    back = await rename(process, third, made.slug)
    assert await process.registry.by_host(made.host) == back
    await end_of_redirects(process, third)
    assert await process.registry.by_slug(second) is not None
    assert (await rename(process, other.slug, third, keep=timedelta(0))).id == other.id
    assert await process.registry.by_host(other.host) is None, "it was to leave nothing behind"
    await end_of_redirects(process, second)
    assert await forget(process) == 1
    assert await process.registry.by_host(f"{second}.example.com") is None, "caches hear of it"
    assert await forget(process) == 0


async def test_a_rename_that_cannot_be_changes_nothing(process: Process) -> None:
    made, other = await process.make(), await process.make()
    for new, error in (("Wrong", InvalidName), ("api", InvalidName), (other.slug, TenantExists)):
        with pytest.raises(error):
            await rename(process, made.slug, new)
    with pytest.raises(InvalidName):
        await rename(process, made.slug, new_slug(), name="a\nb")
    with pytest.raises(TenantNotFound):
        await rename(process, new_slug(), new_slug())
    await process.make(domain=f"{(taken := new_slug())}.example.com")
    with pytest.raises(HostTaken):
        await rename(process, made.slug, taken)
    assert await process.registry.by_slug(made.slug) == made
    called = await rename(process, made.slug, made.slug, name="Only the name")
    assert (called.name, called.host) == ("Only the name", made.host)


async def test_a_deleted_tenant_is_served_to_nobody_and_comes_back_as_it_was(process: Process) -> None:
    made = await process.make()
    resolver = Resolver(process.registry, frozenset({API}))
    async with process.database.platform_session() as session:
        await process.registry.suspend(session, made.slug, "unpaid")
    deleted = await delete(process, made.slug)
    assert deleted.deleted_at is not None
    assert deleted.purge_at is not None
    assert deleted.purge_at - deleted.deleted_at == MONTH
    with pytest.raises(TenantNotFound):
        await resolver.resolve(made.host, None)
    again = await delete(process, made.slug, timedelta(days=1))
    assert (again.deleted_at, again.purge_at) == (deleted.deleted_at, again.purge_at)
    assert again.purge_at is not None
    assert again.purge_at < deleted.purge_at
    for change in (rename(process, made.slug, new_slug()), process.make(made.slug)):
        with pytest.raises(TenantNotReady, match="saas tenants restore"):
            await change
    async with process.database.platform_session() as session:
        await session.execute(text("UPDATE platform.tenants SET revision = NULL WHERE id = :id"), {"id": made.id})
    restored = await lifecycle.restore(process.database, process.registry, made.slug)
    assert (restored.status, restored.suspended_reason, restored.purge_at) == ("suspended", "unpaid", None)
    assert restored.revision == made.revision, "it catches up first"
    async with process.database.platform_session() as session:
        await process.registry.resume(session, made.slug)
    assert (await resolver.resolve(made.host, None)).status == "active"
    assert (await lifecycle.restore(process.database, process.registry, made.slug)).status == "active"


async def test_what_was_never_finished_has_nothing_to_restore(process: Process) -> None:
    slug = new_slug()
    await provisioning.create_row(process.database, process.registry, slug=slug, name="X", plan="free")
    assert (await delete(process, slug)).status == "deleting"
    with pytest.raises(TenantNotReady, match="nothing left"):
        await lifecycle.restore(process.database, process.registry, slug)


async def test_only_what_is_due_is_purged_and_only_once(process: Process, purge: Purge) -> None:
    kept, gone = await process.make(), await process.make()
    await delete(process, kept.slug)
    await delete(process, gone.slug, timedelta(0))
    purged: list[str] = []

    async def take_away(slug: str, tenant_id: UUID) -> None:
        purged.append(slug)
        if len(purged) == 1:
            raise ConnectionError
        await provisioning.delete(process.database, slug, purge=purge, only=tenant_id)

    async def due() -> set[UUID]:
        async with process.database.platform_session() as session:
            return set(await lifecycle.due(session)) & {kept.id, gone.id}

    assert await due() == {gone.id}
    assert not await lifecycle.purge_if_due(process.database, kept.id, take_away)
    with pytest.raises(ConnectionError):
        await lifecycle.purge_if_due(process.database, gone.id, take_away)
    with pytest.raises(TenantNotReady, match="begun"):
        await lifecycle.restore(process.database, process.registry, gone.slug)
    assert await due() == {gone.id}, "the next run finishes it"
    assert await lifecycle.purge_if_due(process.database, gone.id, take_away)
    assert not await lifecycle.purge_if_due(process.database, gone.id, take_away)
    successor = await process.make(gone.slug)
    with pytest.raises(TenantNotFound):
        await take_away(gone.slug, gone.id)
    assert await process.registry.by_slug(gone.slug) == successor
