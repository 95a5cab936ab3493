import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from saas.identity.errors import EmailTaken, InvalidEmail, InvalidPersonName, LastOwner, UnknownRole, UserNotFound
from saas.identity.hooks import Hooks
from saas.identity.links import LinkService
from saas.identity.policy import PolicyService
from saas.identity.sessions import SessionService
from saas.identity.users import User, UserService
from saas.settings import Settings
from tenants.registry import Tenant
from tests.unit.saas.identity.world import EMAIL, Browser, World


@pytest.fixture
def owner(tenant: Tenant) -> str:
    """The address of the owner whom onboarding made."""
    return f"owner@{tenant.slug}.example"


async def test_disabling_ends_everything_at_once(world: World, browser: Browser, ann: User, tenant: Tenant) -> None:
    await browser.sign_in()
    async with world.services.database.tenant_session(tenant) as session:
        disabled = await world.users.disable(session, tenant, EMAIL.upper())
    assert disabled.status == "disabled"
    assert not await browser.is_signed_in()
    assert (await browser.sign_in()).status_code == 422
    assert [ended.user_id for ended in world.told.ended] == world.told.disabled == [ann.id]


async def test_enabling_lets_in_again_but_revives_no_session(
    world: World, browser: Browser, ann: User, tenant: Tenant
) -> None:
    await browser.sign_in()
    async with world.services.database.tenant_session(tenant) as session:
        await world.users.disable(session, tenant, EMAIL)
        await world.users.disable(session, tenant, EMAIL)
        assert (await world.users.enable(session, tenant, EMAIL)).status == "active"
    assert world.told.disabled == [ann.id]
    assert not await browser.is_signed_in()
    assert (await browser.sign_in()).status_code == 303


async def test_what_a_hook_raises_undoes_the_change(
    world: World, browser: Browser, ann: User, tenant: Tenant, settings: Settings
) -> None:
    async def refuse(*_: object) -> None:
        raise RuntimeError("no")

    hooks = Hooks(user_disabled=[refuse])
    sessions = SessionService(settings.identity, hooks)
    policies = PolicyService(sessions, settings.identity)
    users = UserService(sessions, LinkService(settings.identity), hooks, policies)
    await browser.sign_in()
    with pytest.raises(RuntimeError, match="no"):
        async with world.services.database.tenant_session(tenant) as session:
            await users.disable(session, tenant, EMAIL)
    assert await browser.is_signed_in()


async def test_a_session_that_begins_while_its_user_is_disabled_does_not_live(
    world: World, ann: User, tenant: Tenant
) -> None:
    """Sign-in has verified the password and confirmed it; disabling waits for it, then ends its session."""
    confirmed, may_commit = asyncio.Event(), asyncio.Event()

    async def sign_in() -> str:
        async with world.services.database.tenant_session(tenant) as session:
            proven = await world.users.credentials(session, EMAIL)
            assert proven is not None
            assert await world.users.confirm(session, proven)
            cookie = await world.sessions.start(session, tenant, ann.id, amr=["pwd"], address="", user_agent="")
            confirmed.set()
            await may_commit.wait()
            return cookie

    async def disable() -> None:
        async with world.services.database.tenant_session(tenant) as session:
            await world.users.disable(session, tenant, EMAIL)

    signing_in = asyncio.create_task(sign_in())
    await confirmed.wait()
    disabling = asyncio.create_task(disable())
    await wait_until_blocked(world)
    may_commit.set()
    cookie, _ = await asyncio.gather(signing_in, disabling)
    async with world.services.database.tenant_session(tenant) as session:
        await world.users.enable(session, tenant, EMAIL)
        assert await world.sessions.find(session, cookie) is None


async def wait_until_blocked(world: World) -> None:
    """Until some transaction waits for a lock."""
    async with asyncio.timeout(20):
        while True:
            async with world.services.database.platform_session() as session:
                connection = await session.connection()
                waiting = await connection.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE NOT granted")
                if waiting.scalar_one():
                    return
            await asyncio.sleep(0.02)


async def test_the_last_owner_stays(world: World, ann: User, tenant: Tenant, owner: str) -> None:
    async with world.services.database.tenant_session(tenant) as session:
        with pytest.raises(LastOwner, match="somebody else"):
            await world.users.disable(session, tenant, owner)
        with pytest.raises(LastOwner):
            await world.users.set_roles(session, tenant, owner, ["admin"])
        # Somebody who cannot sign in yet, or any more, takes nobody's place.
        await world.users.invite(session, tenant, email="bob@people.example", roles=["owner"])
        await world.users.set_roles(session, tenant, EMAIL, ["owner"])
        await world.users.disable(session, tenant, EMAIL)
        with pytest.raises(LastOwner):
            await world.users.disable(session, tenant, owner)
        await world.users.enable(session, tenant, EMAIL)
        assert (await world.users.set_roles(session, tenant, owner, ["member"])).roles == ("member",)
        with pytest.raises(LastOwner):
            await world.users.disable(session, tenant, EMAIL)


async def test_of_two_owners_who_disable_each_other_one_stays(
    world: World, ann: User, tenant: Tenant, owner: str
) -> None:
    async with world.services.database.tenant_session(tenant) as session:
        await world.users.set_roles(session, tenant, EMAIL, ["owner"])

    async def disable(email: str) -> None:
        async with world.services.database.tenant_session(tenant) as session:
            await world.users.disable(session, tenant, email)

    outcomes = await asyncio.gather(disable(EMAIL), disable(owner), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome] == [LastOwner]


async def test_roles_are_told_of_when_they_change(world: World, ann: User, tenant: Tenant) -> None:
    async with world.services.database.tenant_session(tenant) as session:
        await world.users.set_roles(session, tenant, EMAIL, ["member"])
        assert world.told.roles_changed == []
        changed = await world.users.set_roles(session, tenant, EMAIL, ["admin", "member", "admin"])
        with pytest.raises(UnknownRole, match="choose from owner, admin, member"):
            await world.users.set_roles(session, tenant, EMAIL, ["king"])
        with pytest.raises(UnknownRole):
            await world.users.set_roles(session, tenant, EMAIL, [])
    assert changed.roles == ("admin", "member")
    assert world.told.roles_changed == [ann.id]


async def test_an_open_invitation_can_be_made_anew(world: World, tenant: Tenant) -> None:
    async with world.services.database.tenant_session(tenant) as session:
        first, before = await world.users.invite(session, tenant, email="bob@people.example")
        again, token = await world.users.invite(session, tenant, email="Bob@people.example", roles=["admin"])
        assert (again.id, again.roles, again.status) == (first.id, ("admin",), "invited")
        assert await world.links.find(session, before, "invitation") is None
        assert await world.links.find(session, token, "invitation") is not None


async def test_who_has_an_account_cannot_be_invited(world: World, ann: User, tenant: Tenant) -> None:
    async def invite(session: AsyncSession, email: str) -> None:
        with pytest.raises(EmailTaken):
            await world.users.invite(session, tenant, email=email)

    async with world.services.database.tenant_session(tenant) as session:
        await invite(session, EMAIL)
        await world.users.invite(session, tenant, email="bob@people.example")
        await world.users.disable(session, tenant, "bob@people.example")
        await invite(session, "bob@people.example")


async def test_people_are_listed_by_address(world: World, ann: User, tenant: Tenant, owner: str) -> None:
    async with world.services.database.tenant_session(tenant) as session:
        await world.users.invite(session, tenant, email="Zoe@people.example", name="Zoë")
        listed = await world.users.list(session)
    assert [(user.email, user.name, user.status) for user in listed] == [
        (EMAIL, "ann", "active"),
        (owner, "owner", "active"),
        ("Zoe@people.example", "Zoë", "invited"),
    ]


async def test_what_is_wrong_with_a_new_user_is_said(world: World, ann: User, tenant: Tenant) -> None:
    async with world.services.database.tenant_session(tenant) as session:
        for error, fields in (
            (InvalidEmail, {"email": "nobody"}),
            (InvalidPersonName, {"email": "x@people.example", "name": "a\nb"}),
            (EmailTaken, {"email": EMAIL}),
        ):
            with pytest.raises(error):
                await world.users.create(session, tenant, **fields)
        for call in (
            world.users.find(session, "x@people.example"),
            world.users.enable(session, tenant, "x@people.example"),
        ):
            with pytest.raises(UserNotFound, match="saas users list"):
                await call
        with pytest.raises(InvalidEmail):
            await world.users.find(session, "\0")


async def test_a_password_reset_by_an_operator_ends_sessions_and_is_told_of(
    world: World, browser: Browser, ann: User, tenant: Tenant
) -> None:
    await browser.sign_in()
    async with world.services.database.tenant_session(tenant) as session:
        assert await world.users.reset_password(session, tenant, ann.id, "a hash")
        await world.users.disable(session, tenant, EMAIL)
        assert not await world.users.reset_password(session, tenant, ann.id, "another hash")
    assert not await browser.is_signed_in()
    assert world.told.reset == [ann.id]
