import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import select

from saas.identity.errors import InvalidEmail
from saas.identity.models import UserRow
from saas.identity.passwords import verify_password
from saas.onboarding.service import Onboarded, onboard
from saas.services import Services
from tenants.errors import HostTaken, TenantNotFound


async def create(
    services: Services, slug: str, *, email: str = "", plan: str = "pro", domain: str | None = None
) -> Onboarded:
    return await onboard(
        services.database,
        services.registry,
        services.keys,
        slug=slug,
        name="A customer",
        plan=plan,
        owner_email=email or f"Owner@{slug}.example",
        domain=domain,
    )


def new_slug() -> str:
    return f"t{uuid4().hex[:12]}"


async def owner_of(services: Services, done: Onboarded) -> tuple[str, list[str], str]:
    async with services.database.tenant_session(done.tenant) as session:
        row = (await session.execute(select(UserRow.email, UserRow.roles, UserRow.password_hash))).one()
    return row[0], row[1], row[2] or ""


async def test_tenant_has_owner_key_and_plan(services: Services) -> None:
    slug = new_slug()
    done = await create(services, slug, plan="pro", domain=f"login.{slug}.example")
    assert done.created
    assert done.tenant == await services.registry.by_host(f"login.{slug}.example")
    assert (done.tenant.status, done.tenant.plan.name) == ("active", "pro")
    email, roles, password_hash = await owner_of(services, done)
    assert (email, roles) == (f"Owner@{slug}.example", ["owner"])
    assert await verify_password(done.owner_password or "", password_hash)
    assert len((await services.keys.ring(done.tenant)).jwks()["keys"]) == 1


async def test_second_time_changes_nothing(services: Services) -> None:
    slug = new_slug()
    first = await create(services, slug)
    before = await owner_of(services, first)
    second = await create(services, slug, email="other@example.org", plan="enterprise", domain=f"x.{slug}.example")
    assert (second.created, second.owner_password) == (False, None)
    assert second.tenant == first.tenant
    assert await owner_of(services, first) == before


async def test_concurrent_calls_make_one_tenant_and_one_password(services: Services) -> None:
    slug = new_slug()
    done = await asyncio.gather(*(create(services, slug) for _ in range(4)))
    assert len({one.tenant.id for one in done}) == 1
    (winner,) = [one for one in done if one.created]
    assert [one.owner_password for one in done if not one.created] == [None] * 3
    assert await verify_password(winner.owner_password or "", (await owner_of(services, winner))[2])


async def test_wrong_input_makes_no_tenant(services: Services) -> None:
    slug = new_slug()
    with pytest.raises(InvalidEmail):
        await create(services, slug, email="nobody")
    taken = await create(services, new_slug(), domain=f"login.{slug}.example")
    with pytest.raises(HostTaken):
        await create(services, slug, domain=taken.tenant.domains[0])
    async with services.database.platform_session() as session:
        with pytest.raises(TenantNotFound):
            await services.registry.get(session, slug)
