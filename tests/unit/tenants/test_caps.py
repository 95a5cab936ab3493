import asyncio
from functools import partial

import pytest
from sqlalchemy import BigInteger, Select, column, select, table, text

from tenants import provisioning
from tenants.caps import admit
from tenants.domains import add_domain
from tenants.errors import CapReached, FeatureNotInPlan
from tenants.overrides import set_overrides
from tenants.registry import Tenant
from tests.unit.tenants.conftest import Process, Statements, new_slug

ROWS: Select[int] = select(column("id", BigInteger)).select_from(table("things"))


async def capped(process: Process, cap: str) -> Tenant:
    made = await process.make()
    async with process.database.tenant_session(made) as session:
        await session.execute(text("CREATE TABLE things (id bigint PRIMARY KEY)"))
    async with process.database.platform_session() as session:
        await set_overrides(session, made.slug, {"projects": cap}, None)
        return await process.registry.get(session, made.slug)


async def add(process: Process, tenant: Tenant, number: int) -> bool:
    try:
        async with process.database.tenant_session(tenant) as session:
            await admit(session, tenant, "projects", ROWS)
            await session.execute(text("INSERT INTO things VALUES (:id)"), {"id": number})
            await asyncio.sleep(0)
    except CapReached:
        return False
    return True


async def test_of_many_at_once_as_many_pass_as_there_is_room_for(process: Process) -> None:
    tenant = await capped(process, "3")
    assert await add(process, tenant, 0)
    assert sorted(await asyncio.gather(*(add(process, tenant, number) for number in range(1, 9)))) == [
        *[False] * 6,
        *[True] * 2,
    ]
    async with process.database.tenant_session(tenant) as session:
        assert await session.scalar(text("SELECT count(*) FROM things")) == 3
        await session.execute(text("DELETE FROM things WHERE id = 0"))
    assert await add(process, tenant, 0)


async def test_what_is_there_beyond_a_cap_is_counted_and_stays(process: Process) -> None:
    tenant = await capped(process, "2")
    async with process.database.tenant_session(tenant) as session:
        await session.execute(text("INSERT INTO things SELECT generate_series(1, 5)"))
        with pytest.raises(CapReached, match="allows 2 projects, and there are 5"):
            await admit(session, tenant, "projects", ROWS)
        with pytest.raises(CapReached, match="there are 4"):
            await admit(session, tenant, "projects", ROWS, added=1)


async def test_the_callers_own_row_does_not_count_and_no_cap_costs_nothing(process: Process) -> None:
    tenant, free = await capped(process, "2"), await capped(process, "none")
    async with process.database.tenant_session(tenant) as session:
        await session.execute(text("INSERT INTO things SELECT generate_series(1, 2)"))
        await admit(session, tenant, "projects", ROWS, added=1)
    statements = Statements(process)
    async with process.database.tenant_session(free) as session:
        await admit(session, free, "projects", ROWS)
    assert statements.count == 0


async def test_custom_domains_are_a_feature_with_a_cap(process: Process) -> None:
    made, slug = await process.make(plan="free"), new_slug()
    async with process.database.platform_session() as session:
        with pytest.raises(FeatureNotInPlan, match="free does not include custom domains"):
            await add_domain(session, process.registry, made, f"a.{slug}.example")
        await set_overrides(session, made.slug, {"features": "+custom-domains", "domains": "1"}, None)
        more = await process.registry.get(session, made.slug)
        claimed = await add_domain(session, process.registry, more, f"a.{slug}.example")
        assert await add_domain(session, process.registry, more, f"a.{slug}.example") == claimed
        with pytest.raises(CapReached, match="allows 1 domain, and there are 1"):
            await add_domain(session, process.registry, more, f"b.{slug}.example")
    create = partial(provisioning.create_row, process.database, process.registry, slug=slug, name="X")
    with pytest.raises(FeatureNotInPlan):
        await create(plan="free", domain=f"c.{slug}.example")
