from datetime import timedelta

from sqlalchemy import event, func, select, update

from saas.identity.models import SessionRow, UserRow
from saas.identity.users import User
from saas.kit.crypto import digest
from tenants.registry import Tenant
from tests.unit.saas.identity.world import EMAIL, World


async def start(world: World, tenant: Tenant, user: User, *, replaces: str | None = None) -> str:
    async with world.services.database.tenant_session(tenant) as session:
        agent = "a\x1b[31m" + "b" * 500
        return await world.sessions.start(
            session, tenant, user.id, amr=["pwd"], address="192.0.2.1", user_agent=agent, replaces=replaces
        )


async def is_live(world: World, tenant: Tenant, cookie: str) -> bool:
    async with world.services.database.tenant_session(tenant) as session:
        return await world.sessions.find(session, cookie) is not None


async def test_a_session_says_who_and_how(world: World, tenant: Tenant, ann: User) -> None:
    cookie = await start(world, tenant, ann)
    async with world.services.database.tenant_session(tenant) as session:
        found = await world.sessions.find(session, cookie)
        row = (await session.scalars(select(SessionRow))).one()
    assert found is not None
    assert (found.user_id, found.email, found.roles, found.amr) == (ann.id, EMAIL, ("member",), ("pwd",))
    assert found.session_id == row.id
    assert row.digest == digest(cookie)
    assert row.user_agent == "a[31m" + "b" * 395


async def test_a_disabled_users_session_is_nobodys_even_if_it_has_not_ended(
    world: World, tenant: Tenant, ann: User
) -> None:
    cookie = await start(world, tenant, ann)
    async with world.services.database.tenant_session(tenant) as session:
        await session.execute(update(UserRow).where(UserRow.id == ann.id).values(disabled_at=world.clock()))
        assert await world.sessions.find(session, cookie) is None


async def test_a_session_ends_when_nobody_uses_it(world: World, tenant: Tenant, ann: User) -> None:
    cookie = await start(world, tenant, ann)
    world.clock.ahead = timedelta(hours=7, minutes=59)
    assert await is_live(world, tenant, cookie)
    world.clock.ahead += timedelta(hours=7, minutes=59)
    assert await is_live(world, tenant, cookie)
    world.clock.ahead += timedelta(hours=8, minutes=1)
    assert not await is_live(world, tenant, cookie)


async def test_a_session_ends_after_two_weeks_however_much_it_is_used(world: World, tenant: Tenant, ann: User) -> None:
    cookie = await start(world, tenant, ann)
    for hours in range(7, 14 * 24, 7):
        world.clock.ahead = timedelta(hours=hours)
        assert await is_live(world, tenant, cookie)
    world.clock.ahead = timedelta(days=14, seconds=1)
    assert not await is_live(world, tenant, cookie)


async def test_a_session_that_ran_out_is_not_taken_up_again(world: World, tenant: Tenant, ann: User) -> None:
    cookie = await start(world, tenant, ann)
    world.clock.ahead = timedelta(days=15)
    await start(world, tenant, ann, replaces=cookie)
    async with world.services.database.tenant_session(tenant) as session:
        assert await session.scalar(select(func.count()).select_from(SessionRow)) == 2


async def test_looking_a_session_up_is_one_select_and_an_update_a_minute(
    world: World, tenant: Tenant, ann: User
) -> None:
    cookie = await start(world, tenant, ann)
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement.split(maxsplit=1)[0])

    engine = world.services.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        for seconds in (0, 59, 61, 62):
            world.clock.ahead = timedelta(seconds=seconds)
            assert await is_live(world, tenant, cookie)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert statements == ["SELECT", "SELECT", "SELECT", "UPDATE", "SELECT"]


async def test_lists_hold_live_sessions_only(world: World, tenant: Tenant, ann: User) -> None:
    await start(world, tenant, ann)
    world.clock.ahead = timedelta(hours=9)
    fresh = await start(world, tenant, ann)
    async with world.services.database.tenant_session(tenant) as session:
        (listed,) = await world.sessions.list(session, ann.id)
        found = await world.sessions.find(session, fresh)
        assert found is not None
        assert listed.id == found.session_id
        assert await world.sessions.end(session, tenant, ann.id, listed.id)
        assert not await world.sessions.end(session, tenant, ann.id, listed.id)
        assert await world.sessions.list(session, ann.id) == []


async def test_old_sessions_are_deleted_in_batches(world: World, tenant: Tenant, ann: User) -> None:
    for _ in range(3):
        await start(world, tenant, ann)
    async with world.services.database.tenant_session(tenant) as session:
        assert await world.sessions.purge(session) == 0
    world.clock.ahead = timedelta(days=14, seconds=1)
    async with world.services.database.tenant_session(tenant) as session:
        assert await world.sessions.purge(session, limit=2) == 2
    sessions = world.services.database.tenant_session
    async with sessions(tenant) as session, sessions(tenant) as other:
        assert await world.sessions.purge(session) == 1
        assert await world.sessions.purge(other) == 0
