"""A tenant's people in numbers: what whoever administers them has to know at a glance."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Table, any_, func, literal, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from saas.identity.models import MailedLinkRow, PasskeyRow, TotpFactorRow, UserRow
from saas.identity.policy import COLUMNS, Policy, policy_of
from saas.identity.roles import ADMIN, OWNER

_users: Final[Table] = UserRow.metadata.tables[UserRow.__tablename__]
_links: Final[Table] = MailedLinkRow.metadata.tables[MailedLinkRow.__tablename__]
_totp: Final[Table] = TotpFactorRow.metadata.tables[TotpFactorRow.__tablename__]
_passkeys: Final[Table] = PasskeyRow.metadata.tables[PasskeyRow.__tablename__]
#: Whether somebody has a second factor.
_PROTECTED: Final = or_(*(select(1).where(each.c.user_id == _users.c.id).exists() for each in (_totp, _passkeys)))


class PeopleOverview(NamedTuple):
    """Counts. Whoever is disabled counts nowhere."""

    #: Who can sign in.
    people: int
    #: Who has not accepted yet.
    invited: int
    #: Of `invited`, those whose link works, but not for long.
    expiring: int
    #: Of `invited`, those whose link works no more.
    lapsed: int
    owners: int
    #: Owners and admins, and those of them who sign in with a password alone.
    administrators: int
    unprotected: int
    policy: Policy


async def people_overview(session: AsyncSession, now: datetime, soon: timedelta) -> PeopleOverview:
    """`soon`: how long an invitation still works that counts as expiring. One SELECT."""
    joined = _users.c.password_hash.is_not(None)
    administers = joined & or_(*(literal(role) == any_(_users.c.roles) for role in (OWNER, ADMIN)))
    until = (
        select(func.max(_links.c.expires_at))
        .where(_links.c.user_id == _users.c.id, _links.c.purpose == "invitation", _links.c.used_at.is_(None))
        .scalar_subquery()
    )
    query = select(
        _many(joined),
        _many(~joined),
        _many(~joined & (until > now) & (until <= now + soon)),
        _many(~joined & func.coalesce(until <= now, true())),
        _many(joined & (literal(OWNER) == any_(_users.c.roles))),
        _many(administers),
        _many(administers & ~_PROTECTED),
        *(select(column).scalar_subquery() for column in COLUMNS),
    ).where(_users.c.disabled_at.is_(None))
    row = tuple((await session.execute(query)).one())
    counts, policy = row[: -len(COLUMNS)], row[-len(COLUMNS) :]
    return PeopleOverview._make([*counts, policy_of(policy if policy[0] else None)])


async def unprotected_people(session: AsyncSession) -> int:
    """How many of `PeopleOverview.people` have no second factor."""
    alone = (_users.c.disabled_at.is_(None), _users.c.password_hash.is_not(None), ~_PROTECTED)
    return (await session.execute(select(func.count()).select_from(_users).where(*alone))).scalar_one()


def _many(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.count().filter(condition)
