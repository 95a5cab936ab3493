"""Rows of people as their services see them: found by address or id, locked, changed. Transactions are the tenant's."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from saas.audit.service import Target
from saas.identity.errors import UserNotFound
from saas.identity.models import UserRow
from saas.identity.service import check_email, email_key
from saas.kit.clock import utc_now

USERS: Final[Table] = UserRow.metadata.tables[UserRow.__tablename__]
ENABLED: Final = USERS.c.disabled_at.is_(None)
#: Somebody, by their address or their id.
Who = str | UUID
Status = Literal["active", "invited", "disabled"]


@dataclass(frozen=True, slots=True)
class User:
    id: UUID
    email: str
    name: str
    roles: tuple[str, ...]
    #: Whether an invitation is still to be accepted: there is no password yet.
    invited: bool
    disabled_at: datetime | None
    created_at: datetime

    @property
    def status(self) -> Status:
        return "disabled" if self.disabled_at else "invited" if self.invited else "active"


class Credentials(NamedTuple):
    """`password_hash` is None while an invitation is open."""

    user_id: UUID
    email: str
    password_hash: str | None


def is_(who: Who) -> ColumnElement[bool]:
    return USERS.c.id == who if isinstance(who, UUID) else USERS.c.email_key == email_key(who.strip())


def target_of(user: User) -> Target:
    return Target("user", user.id, user.email)


def select_users() -> Select[Any]:
    """What `user_of` takes."""
    return select(
        USERS.c.id,
        USERS.c.email,
        USERS.c.name,
        USERS.c.roles,
        USERS.c.password_hash.is_(None),
        USERS.c.disabled_at,
        USERS.c.created_at,
    )


def locked() -> Select[Any]:
    """Without keeping others from inserting rows that refer to the user."""
    return select_users().with_for_update(key_share=True)


async def one(session: AsyncSession, query: Select[Any], who: Who) -> User:
    """Whom `query` finds by `who`. Raises UserNotFound, and InvalidEmail where `who` is no address."""
    if isinstance(who, str):
        check_email(who)
    row = (await session.execute(query.where(is_(who)))).one_or_none()
    if row is None and isinstance(who, str):
        raise UserNotFound(f"Nobody has the address {who.strip()!r} here: check its spelling with `saas users list`")
    if row is None:
        raise UserNotFound("Nobody has this id here: they may have been removed")
    return user_of(row)


def user_of(row: Any) -> User:
    user_id, email, name, roles, invited, disabled_at, created_at = row
    return User(user_id, email, name, tuple(roles), invited, disabled_at, created_at)


async def change(session: AsyncSession, *which: ColumnElement[bool], **values: object) -> bool:
    """Whether there was somebody to change."""
    changed = update(USERS).where(*which).values(updated_at=utc_now(), **values).returning(USERS.c.id)
    return (await session.execute(changed)).one_or_none() is not None
