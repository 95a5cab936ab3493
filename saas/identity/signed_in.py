"""Who is behind a session cookie, as one statement: for whoever needs more in the same round trip, too."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, Interval, Table, bindparam, func, select, true

from saas.identity.accounts import USERS
from saas.identity.models import PolicyRow, SessionRow

# Columns, not entities: `find` is on the way of every authorization request.
SESSIONS: Final[Table] = SessionRow.metadata.tables[SessionRow.__tablename__]
_policies: Final[Table] = PolicyRow.metadata.tables[PolicyRow.__tablename__]
_now: Final = bindparam("now", type_=DateTime(timezone=True))
_idle: Final = bindparam("idle", type_=Interval())


def _seconds_of(column: ColumnElement[int | None]) -> ColumnElement[timedelta]:
    """What the tenant's policy says, NULL where it says nothing: read in the same statement, never out of date."""
    return select(func.make_interval(0, 0, 0, 0, 0, 0, column, type_=Interval())).scalar_subquery()


#: Sessions that neither ended nor ran out: as the operator allows, or sooner by the tenant's policy (LEAST skips NULL).
LIVE: Final = (
    SESSIONS.c.ended_at.is_(None),
    SESSIONS.c.expires_at > _now,
    SESSIONS.c.last_seen_at > _now - func.least(_idle, _seconds_of(_policies.c.session_idle)),
    func.coalesce(SESSIONS.c.authenticated_at > _now - _seconds_of(_policies.c.session_lifetime), true()),
)
#: Its last column is `last_seen_at`. Whoever needs more at the same cost adds columns: see `SessionService.look_up`.
BY_COOKIE: Final = (
    select(
        SESSIONS.c.id,
        SESSIONS.c.user_id,
        USERS.c.email,
        USERS.c.name,
        USERS.c.roles,
        SESSIONS.c.authenticated_at,
        SESSIONS.c.amr,
        func.coalesce(SESSIONS.c.confirmed_at, SESSIONS.c.authenticated_at),
        SESSIONS.c.last_seen_at,
    )
    .join(USERS, USERS.c.id == SESSIONS.c.user_id)
    .where(SESSIONS.c.digest == bindparam("cookie"), *LIVE, USERS.c.disabled_at.is_(None))
)
#: How many that are.
COLUMNS: Final = len(BY_COOKIE.selected_columns)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The person behind a request, and how they proved who they are (OpenID Connect `auth_time` and `amr`)."""

    session_id: UUID
    user_id: UUID
    email: str
    name: str
    roles: tuple[str, ...]
    authenticated_at: datetime
    amr: tuple[str, ...]
    #: When they last proved it, for something sensitive or by signing in.
    confirmed_at: datetime


def signed_in(row: Any) -> SignedIn:
    """Of a row of BY_COOKIE; what follows in it is left aside."""
    session_id, user_id, email, name, roles, authenticated_at, amr, confirmed_at = row[: COLUMNS - 1]
    return SignedIn(session_id, user_id, email, name, tuple(roles), authenticated_at, tuple(amr), confirmed_at)
