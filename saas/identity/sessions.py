"""Browser sessions: what a session cookie stands for, in the tenant's own schema, so that it is nothing elsewhere.

Transactions are the tenant's (`Database.tenant_session`).
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, any_, bindparam, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from saas.audit.actor import Actor
from saas.audit.service import Target, record
from saas.identity.accounts import USERS
from saas.identity.hooks import EndedSession, Hooks
from saas.identity.signed_in import BY_COOKIE, COLUMNS, LIVE, SESSIONS, SignedIn, signed_in
from saas.kit.clock import Clock, utc_now
from saas.kit.crypto import digest
from saas.kit.ids import new_secret
from saas.settings import IdentitySettings
from tenants.base import new_id
from tenants.direct import Direct
from tenants.purge import purge_rows
from tenants.registry import Tenant
from tenants.statements import Statement

_COOKIE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
#: How old `last_seen_at` may become before a request writes it again.
_SEEN_WITHIN: Final = timedelta(minutes=1)
_MAX_AGENT: Final = 400
#: As many as a person could look through.
_MOST_LISTED: Final = 100

_TOUCH: Final = (
    update(SESSIONS)
    .where(SESSIONS.c.id == bindparam("session"))
    .values(last_seen_at=bindparam("now"), updated_at=bindparam("now"))
)
_TOUCH_STATEMENT: Final = Statement(_TOUCH)


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session as its owner sees it. `user_agent` is the browser's own word."""

    id: UUID
    address: str
    user_agent: str
    created_at: datetime
    last_seen_at: datetime


class SessionService:
    def __init__(self, settings: IdentitySettings, hooks: Hooks, clock: Clock = utc_now) -> None:
        self._idle = timedelta(seconds=settings.session_idle)
        self.lifetime = timedelta(seconds=settings.session_lifetime)
        self._hooks = hooks
        self._clock = clock

    async def find(self, session: AsyncSession, cookie: str | None) -> SignedIn | None:
        """Who holds this cookie; None where it is nobody's, has ended, or its user is disabled. One SELECT.

        Notes at most once a minute that the session is used.
        """
        now = self._clock()
        parameters = self._parameters(cookie, now)
        row: Any = (await session.execute(BY_COOKIE, parameters)).one_or_none() if parameters else None
        if row is None:
            return None
        if _is_stale(row, now):
            await session.execute(_TOUCH, {"session": row[0], "now": now})
        return signed_in(row)

    async def look_up(
        self, direct: Direct, cookie: str | None, statement: Statement, **values: Any
    ) -> tuple[SignedIn | None, tuple[Any, ...]]:
        """As `find`; the statement is BY_COOKIE with more columns, which come second. They are empty for nobody."""
        now = self._clock()
        parameters = self._parameters(cookie, now)
        row = await direct.row(statement, **parameters, **values) if parameters else None
        if row is None:
            return None, ()
        if _is_stale(row, now):
            await direct.row(_TOUCH_STATEMENT, session=row[0], now=now)
        return signed_in(row), row[COLUMNS:]

    def _parameters(self, cookie: str | None, now: datetime) -> dict[str, Any] | None:
        """Of BY_COOKIE; None where no cookie of ours looks like this."""
        if cookie is None or not _COOKIE.fullmatch(cookie):
            return None
        return {"cookie": digest(cookie), "now": now, "idle": self._idle}

    async def start(
        self,
        session: AsyncSession,
        tenant: Tenant,
        user_id: UUID,
        *,
        amr: Iterable[str],
        address: str,
        user_agent: str,
        replaces: str | None = None,
        authenticated_at: datetime | None = None,
    ) -> str:
        """The cookie of a session that begins now. The caller holds a lock on the user's row and knows it is enabled.

        `replaces` is the cookie that the browser came with, which is worth nothing from now on. A session of the same
        person goes on, with its id, under the new cookie; another person's session ends. `authenticated_at` is for
        one that goes on without all of `amr` being proven again.
        """
        now = self._clock()
        cookie = new_secret()
        proof = {
            "digest": digest(cookie),
            "authenticated_at": authenticated_at or now,
            "amr": list(amr),
            "confirmed_at": now if authenticated_at else None,
            "last_seen_at": now,
            "expires_at": now + self.lifetime,
            "address": address[:64],
            "user_agent": _printable(user_agent)[:_MAX_AGENT],
            "updated_at": now,
        }
        goes_on = await self._goes_on(session, tenant, user_id, replaces, proof)
        if not goes_on:
            await session.execute(insert(SESSIONS).values(id=new_id(), user_id=user_id, created_at=now, **proof))
        action = "session.confirmed" if goes_on else "session.started"
        record(session, action, details={"methods": proof["amr"]}, actor=Actor("user", str(user_id)))
        return cookie

    def is_recent(self, person: SignedIn, max_age: timedelta) -> bool:
        """Whether the person proved who they are within `max_age`."""
        return self._clock() - person.confirmed_at <= max_age

    async def confirm(self, session: AsyncSession, person: SignedIn) -> str | None:
        """The person has just proved again who they are: the new cookie; None where the session has ended meanwhile."""
        now, cookie = self._clock(), new_secret()
        mine = (SESSIONS.c.id == person.session_id, SESSIONS.c.ended_at.is_(None))
        values = {"digest": digest(cookie), "confirmed_at": now, "last_seen_at": now, "updated_at": now}
        renewed = update(SESSIONS).where(*mine).values(values).returning(SESSIONS.c.id)
        if (await session.execute(renewed)).one_or_none() is None:
            return None
        record(session, "session.confirmed")
        return cookie

    async def list(self, session: AsyncSession, user_id: UUID) -> list[SessionInfo]:
        """The user's live sessions, the last seen first; at most a hundred."""
        now = self._clock()
        query = (
            select(*(SESSIONS.c[name] for name in SessionInfo.__slots__))
            .where(SESSIONS.c.user_id == user_id, *LIVE)
            .order_by(SESSIONS.c.last_seen_at.desc(), SESSIONS.c.id)
            .limit(_MOST_LISTED)
        )
        return [SessionInfo(*row) for row in await session.execute(query, {"now": now, "idle": self._idle})]

    async def end(self, session: AsyncSession, tenant: Tenant, user_id: UUID, session_id: UUID) -> bool:
        """End one session of this user; False where there is no such session, or it has ended."""
        ended = await self._end(session, tenant, SESSIONS.c.user_id == user_id, SESSIONS.c.id == session_id)
        if ended:
            record(session, "session.ended", target=Target("user", user_id), details={"sessions": ended})
        return ended > 0

    async def end_all(
        self, session: AsyncSession, tenant: Tenant, user_id: UUID, *, keep: UUID | None = None, told: bool = True
    ) -> int:
        """End the user's sessions, but `keep`; how many that were. `told`: it is an event, and no part of another."""
        kept = [] if keep is None else [SESSIONS.c.id != keep]
        ended = await self._end(session, tenant, SESSIONS.c.user_id == user_id, *kept)
        if told and ended:
            record(session, "session.ended", target=Target("user", user_id), details={"sessions": ended})
        return ended

    async def end_single_factor(
        self,
        session: AsyncSession,
        tenant: Tenant,
        *,
        roles: Collection[str] | None = None,
        user_id: UUID | None = None,
        keep: UUID | None = None,
    ) -> int:
        """End sessions that began without a second factor: of people with one of `roles`, of one user, or all; not
        `keep`."""
        which = [~(literal("mfa") == any_(SESSIONS.c.amr))]
        if roles is not None:
            holders = select(USERS.c.id).where(USERS.c.roles.overlap(list(roles)))
            which.append(SESSIONS.c.user_id.in_(holders))
        if user_id is not None:
            which.append(SESSIONS.c.user_id == user_id)
        if keep is not None:
            which.append(SESSIONS.c.id != keep)
        return await self._end(session, tenant, *which)

    async def purge(self, session: AsyncSession, limit: int = 1000) -> int:
        """Delete sessions that are past their absolute end, those that others are deleting aside; how many."""
        return await purge_rows(session, SESSIONS, SESSIONS.c.expires_at < self._clock(), limit)

    async def _goes_on(
        self, session: AsyncSession, tenant: Tenant, user_id: UUID, replaced: str | None, proof: dict[str, Any]
    ) -> bool:
        """Whether the session of the replaced cookie was this user's, and now has the new proof; else it is over."""
        if replaced is None or not _COOKIE.fullmatch(replaced):
            return False
        before = (SESSIONS.c.digest == digest(replaced), SESSIONS.c.ended_at.is_(None))
        mine = (*before, SESSIONS.c.user_id == user_id, SESSIONS.c.expires_at > self._clock())
        renewed = update(SESSIONS).where(*mine).values(proof).returning(SESSIONS.c.id)
        if (await session.execute(renewed)).one_or_none() is not None:
            return True
        await self._end(session, tenant, *before)
        return False

    async def _end(self, session: AsyncSession, tenant: Tenant, *which: ColumnElement[bool]) -> int:
        now = self._clock()
        statement = update(SESSIONS).where(SESSIONS.c.ended_at.is_(None), *which).values(ended_at=now, updated_at=now)
        rows = await session.execute(statement.returning(SESSIONS.c.id, SESSIONS.c.user_id))
        ended = [EndedSession(*row) for row in rows]
        if ended:
            for hook in self._hooks.sessions_ended:
                await hook(session, tenant, ended)
        return len(ended)


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())


def _is_stale(row: Any, now: datetime) -> bool:
    """Whether it is to be noted that the session of this row is used."""
    last_seen_at: datetime = row[COLUMNS - 1]
    return now - last_seen_at > _SEEN_WITHIN
