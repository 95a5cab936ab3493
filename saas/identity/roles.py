"""Roles of a tenant's people, and the scopes that each gives. Transactions are the tenant's."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy import Table, Text, any_, bindparam, delete, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from saas.audit.service import Target, record
from saas.authserver.scopes import IDENTITY_SCOPES as PROTOCOL_SCOPES
from saas.identity.errors import InvalidRole, RoleInUse, RoleTaken, UnknownRole
from saas.identity.models import RoleRow, UserRow
from tenants.base import utc_now
from tenants.statements import Statement

OWNER: Final = "owner"
ADMIN: Final = "admin"
MEMBER: Final = "member"
#: What they may do, in words.
BUILTIN: Final = {
    OWNER: "Everything, and to make others owners",
    ADMIN: "Everything that the product offers",
    MEMBER: "Everything that is not sensitive",
}
#: They tell who somebody is and open nothing: no role limits them (OpenID Connect Core, section 5.4).
IDENTITY_SCOPES: Final = frozenset(PROTOCOL_SCOPES)

_NAME: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
_MAX_DESCRIPTION: Final = 200
_MOST_ROLES: Final = 100
#: Of the holders of a role that cannot be deleted.
_MOST_NAMED: Final = 5
_roles: Final[Table] = RoleRow.metadata.tables[RoleRow.__tablename__]
#: The scopes of each of the roles `names`.
OWN_SCOPES: Final = Statement(
    select(_roles.c.scopes).where(_roles.c.name == any_(bindparam("names", type_=ARRAY(Text()))))
)


class CatalogueScope(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def sensitive(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Role:
    """One of the tenant's own."""

    name: str
    description: str
    scopes: tuple[str, ...]


async def scopes_of(
    session: AsyncSession, roles: Collection[str], catalogue: Iterable[CatalogueScope]
) -> frozenset[str]:
    """The scopes that these roles give together. A SELECT only where there is one of the tenant's own among them."""
    own = own_roles(roles)
    rows: Iterable[Iterable[str]] = ()
    if own:
        rows = await session.scalars(select(_roles.c.scopes).where(_roles.c.name.in_(own)))
    return scopes_given(roles, rows, catalogue)


def own_roles(roles: Iterable[str]) -> list[str]:
    """Those that are the tenant's own: OWN_SCOPES finds them."""
    return [role for role in roles if role not in BUILTIN]


def scopes_given(
    roles: Collection[str], own: Iterable[Iterable[str]], catalogue: Iterable[CatalogueScope]
) -> frozenset[str]:
    """As `scopes_of`; `own` are the scopes of each of the tenant's own roles among `roles`."""
    if OWNER in roles or ADMIN in roles:
        return IDENTITY_SCOPES.union(scope.name for scope in catalogue)
    known = {scope.name: scope.sensitive for scope in catalogue}
    given = {name for name, sensitive in known.items() if MEMBER in roles and not sensitive}
    return IDENTITY_SCOPES.union(given, *(known.keys() & set(scopes) for scopes in own))


async def holders_of(session: AsyncSession, roles: Collection[str], limit: int) -> list[tuple[str, str]]:
    """Name and address of people who have one of `roles` and can sign in, by address."""
    people = select(UserRow.name, UserRow.email).where(
        or_(*(literal(role) == any_(UserRow.roles) for role in roles)),
        UserRow.disabled_at.is_(None),
        UserRow.password_hash.is_not(None),
    )
    return [(name, email) for name, email in await session.execute(people.order_by(UserRow.email_key).limit(limit))]


async def check_roles(session: AsyncSession, roles: Iterable[str]) -> list[str]:
    """`roles` without repetitions; they are neither changed nor deleted until the transaction ends.

    Raises UnknownRole, which lists those that there are.
    """
    wanted = list(dict.fromkeys(roles))
    own = own_roles(wanted)
    kept = select(_roles.c.name).where(_roles.c.name.in_(own)).order_by(_roles.c.name).with_for_update(read=True)
    known = {*BUILTIN, *(await session.scalars(kept) if own else ())}
    unknown = [role for role in wanted if role not in known]
    if unknown or not wanted:
        choice = [*BUILTIN, *(role.name for role in await list_roles(session))]
        raise UnknownRole(f"{', '.join(unknown) or 'No role at all'}: choose from {', '.join(choice)}")
    return wanted


async def list_roles(session: AsyncSession) -> list[Role]:
    """The tenant's own roles, by name."""
    rows = await session.execute(select(_roles.c.name, _roles.c.description, _roles.c.scopes).order_by(_roles.c.name))
    return [Role(name, description, tuple(scopes)) for name, description, scopes in rows]


def check_role(role: Role, catalogue: Iterable[CatalogueScope]) -> None:
    """Raises InvalidRole."""
    if not _NAME.fullmatch(role.name):
        raise InvalidRole("A role's name is 1 to 40 lower-case letters, digits and hyphens, a letter first")
    if len(role.description) > _MAX_DESCRIPTION or not role.description.isprintable():
        raise InvalidRole(f"A role's description is one line of at most {_MAX_DESCRIPTION} characters")
    known = [scope.name for scope in catalogue]
    unknown = [scope for scope in role.scopes if scope not in known]
    if unknown or not role.scopes:
        raise InvalidRole(f"Unknown scope: {', '.join(unknown) or 'none given'}. Known: {', '.join(known)}")


async def create_role(session: AsyncSession, role: Role, catalogue: Iterable[CatalogueScope]) -> None:
    """Raises InvalidRole and RoleTaken."""
    check_role(role, catalogue)
    existing = await list_roles(session)
    if len(existing) >= _MOST_ROLES:
        raise InvalidRole(f"A tenant has at most {_MOST_ROLES} roles of its own: delete one first")
    now = utc_now()
    values = {"description": role.description, "scopes": list(dict.fromkeys(role.scopes))}
    statement = insert(_roles).values(name=role.name, created_at=now, updated_at=now, **values).on_conflict_do_nothing()
    created = None
    if role.name not in BUILTIN:
        created = (await session.execute(statement.returning(_roles.c.name))).one_or_none()
    if created is None:
        raise RoleTaken(f"There is a role {role.name} already: choose another name")
    record(session, "role.created", target=Target("role", role.name, role.name), details={"scopes": values["scopes"]})


async def delete_role(session: AsyncSession, name: str) -> None:
    """Raises UnknownRole, and RoleInUse, which says who has it, while somebody has."""
    # Before its holders are looked for: nobody is given it any more.
    await session.execute(select(_roles.c.name).where(_roles.c.name == name).with_for_update())
    holders = select(UserRow.email).where(literal(name) == any_(UserRow.roles)).order_by(UserRow.email_key)
    found = (await session.scalars(holders.limit(_MOST_NAMED + 1))).all()
    if found:
        more = " and others" if len(found) > _MOST_NAMED else ""
        some = ", ".join(found[:_MOST_NAMED])
        raise RoleInUse(f"Somebody has the role {name} ({some}{more}): give them another one first")
    if (
        await session.execute(delete(_roles).where(_roles.c.name == name).returning(_roles.c.name))
    ).one_or_none() is None:
        raise UnknownRole(f"There is no role {name} of the tenant's own")
    record(session, "role.deleted", target=Target("role", name, name))
