"""The list of a tenant's people: searched, filtered, a page at a time. Transactions are the tenant's."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, any_, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from saas.identity.accounts import ENABLED, USERS, Status, User
from saas.identity.errors import UserNotFound
from saas.identity.models import PasskeyRow, SessionRow, TotpFactorRow
from saas.identity.service import MAX_EMAIL, email_key
from saas.web.paging import Page, decode_cursor, encode_cursor

_SORT: Final = "email"
_totp: Final[Table] = TotpFactorRow.metadata.tables[TotpFactorRow.__tablename__]
_passkeys: Final[Table] = PasskeyRow.metadata.tables[PasskeyRow.__tablename__]
_sessions: Final[Table] = SessionRow.metadata.tables[SessionRow.__tablename__]
_HAS_PASSWORD: Final = USERS.c.password_hash.is_not(None)
_STATUS: Final[dict[Status, ColumnElement[bool]]] = {
    "active": ENABLED & _HAS_PASSWORD,
    "invited": ENABLED & ~_HAS_PASSWORD,
    "disabled": ~ENABLED,
}


@dataclass(frozen=True, slots=True)
class Person(User):
    """Somebody, and what is known of how they sign in."""

    updated_at: datetime
    #: Whether they have an authenticator app, and how many passkeys.
    totp: bool
    passkeys: int
    #: As far as their sessions are kept.
    last_signed_in_at: datetime | None


async def list_people(
    session: AsyncSession,
    *,
    limit: int,
    cursor: str | None = None,
    query: str = "",
    status: Status | None = None,
    role: str | None = None,
) -> Page[Person]:
    """One page, by address. `query` is a part of the address or of the name, in any case.

    Raises InvalidRequest at a bad cursor.
    """
    chosen = select(USERS).order_by(USERS.c.email_key).limit(limit + 1)  # one more tells whether there is a next page
    if cursor is not None:
        chosen = chosen.where(USERS.c.email_key > decode_cursor(cursor, _SORT, _parse_key)[0])
    if query:
        part = email_key(query.strip())
        in_name = func.lower(USERS.c.name).contains(part, autoescape=True)
        chosen = chosen.where(or_(USERS.c.email_key.contains(part, autoescape=True), in_name))
    if status is not None:
        chosen = chosen.where(_STATUS[status])
    if role is not None:
        chosen = chosen.where(literal(role) == any_(USERS.c.roles))
    rows = (await session.execute(_with_sign_in(chosen))).all()
    items = [_person(row) for row in rows[:limit]]
    more = len(rows) > limit
    place = encode_cursor(_SORT, email_key(items[-1].email), items[-1].id) if more else None
    return Page[Person].model_construct(items=items, next_cursor=place)


async def find_person(session: AsyncSession, user_id: UUID) -> Person:
    """Raises UserNotFound."""
    row = (await session.execute(_with_sign_in(select(USERS).where(USERS.c.id == user_id)))).one_or_none()
    if row is None:
        raise UserNotFound("Nobody has this id here: they may have been removed")
    return _person(row)


async def count_people(session: AsyncSession) -> dict[Status, int]:
    """How many there are of each status. One SELECT."""
    counts = [func.count().filter(condition) for condition in _STATUS.values()]
    return dict(zip(_STATUS, (await session.execute(select(*counts).select_from(USERS))).one(), strict=True))


async def count_holders(session: AsyncSession, roles: Sequence[str]) -> dict[str, int]:
    """How many people have each of these roles. One SELECT."""
    if not roles:
        return {}
    counts = [func.count().filter(literal(role) == any_(USERS.c.roles)) for role in roles]
    return dict(zip(roles, (await session.execute(select(*counts).select_from(USERS))).one(), strict=True))


def _with_sign_in(chosen: Select[Any]) -> Select[Any]:
    """Of those who are `chosen`, and nobody else, how they sign in."""
    of = chosen.subquery()
    return select(
        of.c.id,
        of.c.email,
        of.c.name,
        of.c.roles,
        of.c.password_hash.is_(None),
        of.c.disabled_at,
        of.c.created_at,
        of.c.updated_at,
        select(_totp.c.user_id).where(_totp.c.user_id == of.c.id).exists(),
        select(func.count()).where(_passkeys.c.user_id == of.c.id).scalar_subquery(),
        select(func.max(_sessions.c.authenticated_at)).where(_sessions.c.user_id == of.c.id).scalar_subquery(),
    ).order_by(of.c.email_key)


def _person(row: Iterable[Any]) -> Person:
    user_id, email, name, roles, *rest = row
    return Person(user_id, email, name, tuple(roles), *rest)


def _parse_key(value: str) -> str:
    if not value.isprintable() or len(value) > MAX_EMAIL * 2:
        raise ValueError("no address")
    return value
