from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from saas.access.scopes import Scope, ScopeCatalogue
from saas.identity.errors import InvalidRole, RoleInUse, RoleTaken, UnknownRole
from saas.identity.roles import IDENTITY_SCOPES, Role, create_role, delete_role, list_roles, scopes_of
from saas.identity.users import User
from tenants.registry import Tenant
from tests.unit.saas.identity.world import EMAIL, World

CATALOGUE = ScopeCatalogue(
    [
        Scope("projects:read", "Read projects", "Projects"),
        Scope("projects:write", "Change projects", "Projects"),
        Scope("billing", "See and pay bills", "Money", sensitive=True),
    ]
)
READER = Role("reader", "Reads", ("projects:read",))
CASHIER = Role("cashier", "Pays", ("billing", "gone:scope"))


async def scopes(session: AsyncSession, *roles: str) -> set[str]:
    found = await scopes_of(session, roles, CATALOGUE)
    assert found >= IDENTITY_SCOPES
    return set(found - IDENTITY_SCOPES)


@contextmanager
def counted(world: World) -> Iterator[list[str]]:
    asked: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        asked.append(statement)

    engine = world.services.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def test_built_in_roles_give_scopes_without_asking_the_database(world: World, tenant: Tenant) -> None:
    async with world.services.database.tenant_session(tenant) as session:
        with counted(world) as asked:
            everything = {"projects:read", "projects:write", "billing"}
            assert await scopes(session, "owner") == everything
            assert await scopes(session, "member", "admin") == everything
            assert await scopes(session, "member") == {"projects:read", "projects:write"}
            assert await scopes(session) == set()
        assert asked == []


async def test_own_roles_give_what_they_hold_and_what_there_is(world: World, tenant: Tenant) -> None:
    everything = ScopeCatalogue([*CATALOGUE, Scope("gone:scope", "Once there", "Old")])
    async with world.services.database.tenant_session(tenant) as session:
        await create_role(session, READER, CATALOGUE)
        await create_role(session, CASHIER, everything)
        assert await scopes(session, "reader") == {"projects:read"}
        assert await scopes(session, "reader", "cashier") == {"projects:read", "billing"}
        assert await scopes(session, "nothing-of-the-kind") == set()
        assert await list_roles(session) == [CASHIER, READER]


async def test_a_role_is_its_tenants_own(world: World, tenant: Tenant, other_tenant: Tenant) -> None:
    async with world.services.database.tenant_session(tenant) as session:
        await create_role(session, READER, CATALOGUE)
    async with world.services.database.tenant_session(other_tenant) as session:
        assert await scopes(session, "reader") == set()


async def test_what_is_no_role_is_refused(world: World, tenant: Tenant) -> None:
    async with world.services.database.tenant_session(tenant) as session:
        for name in ("", "Reader", "a b", "-a", "a" * 41):
            with pytest.raises(InvalidRole, match="name"):
                await create_role(session, Role(name, "", ("billing",)), CATALOGUE)
        for description in ("a\nb", "a" * 201):
            with pytest.raises(InvalidRole, match="description"):
                await create_role(session, Role("reader", description, ("billing",)), CATALOGUE)
        for given in ((), ("king",)):
            with pytest.raises(InvalidRole, match="Known: projects:read"):
                await create_role(session, Role("reader", "", given), CATALOGUE)
        await create_role(session, READER, CATALOGUE)
        for name in ("reader", "owner", "admin", "member"):
            with pytest.raises(RoleTaken):
                await create_role(session, Role(name, "", ("billing",)), CATALOGUE)


async def test_a_role_goes_when_nobody_has_it(world: World, ann: User, tenant: Tenant) -> None:
    async with world.services.database.tenant_session(tenant) as session:
        await create_role(session, READER, CATALOGUE)
        await world.users.set_roles(session, tenant, EMAIL, ["reader"])
        with pytest.raises(RoleInUse):
            await delete_role(session, "reader")
        await world.users.set_roles(session, tenant, EMAIL, ["member"])
        await delete_role(session, "reader")
        for name in ("reader", "owner-of-nothing"):
            with pytest.raises(UnknownRole):
                await delete_role(session, name)
        with pytest.raises(RoleInUse):
            await delete_role(session, "member")
