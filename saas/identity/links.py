"""Links sent by mail: whoever has one reads that person's mail. Each works once, for a while, at its own tenant."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from saas.identity.models import MailedLinkRow, UserRow
from saas.kit.clock import Clock, utc_now
from saas.kit.crypto import digest
from saas.kit.ids import new_secret
from saas.settings import IdentitySettings
from tenants.base import new_id
from tenants.purge import purge_rows

#: What a link is for: also the first part of its path.
Purpose = Literal["reset", "invitation"]

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_links: Final[Table] = MailedLinkRow.metadata.tables[MailedLinkRow.__tablename__]
_users: Final[Table] = UserRow.metadata.tables[UserRow.__tablename__]
_person: Final = (_users.c.id, _users.c.email, _users.c.name)


@dataclass(frozen=True, slots=True)
class Linked:
    """Whom a link was sent to."""

    user_id: UUID
    email: str
    name: str


class LinkService:
    """Transactions are the tenant's."""

    def __init__(self, settings: IdentitySettings, clock: Clock = utc_now) -> None:
        self.ttl: Final[dict[Purpose, timedelta]] = {
            "reset": timedelta(seconds=settings.reset_ttl),
            "invitation": timedelta(seconds=settings.invitation_ttl),
        }
        self._clock = clock

    async def create(self, session: AsyncSession, user_id: UUID, purpose: Purpose) -> str:
        """The token of a new link; those that the user had for the same purpose do not work any more."""
        now = self._clock()
        token = new_secret()
        await session.execute(delete(_links).where(_links.c.user_id == user_id, _links.c.purpose == purpose))
        await session.execute(
            insert(_links).values(
                id=new_id(),
                user_id=user_id,
                purpose=purpose,
                digest=digest(token),
                expires_at=now + self.ttl[purpose],
                created_at=now,
                updated_at=now,
            )
        )
        return token

    async def find(self, session: AsyncSession, token: str, purpose: Purpose) -> Linked | None:
        """Whose link this is, if it still works; it goes on working."""
        if not _TOKEN.fullmatch(token):
            return None
        row = (await session.execute(select(*_person).where(*self._works(token, purpose)))).one_or_none()
        return None if row is None else Linked(*row)

    async def use(self, session: AsyncSession, token: str, purpose: Purpose) -> Linked | None:
        """As `find`, and the link is used up if this transaction commits. Of two at once, one gets None.

        Who has it reads that person's mail: the address is theirs from now on.
        """
        if not _TOKEN.fullmatch(token):
            return None
        now = self._clock()
        used = update(_links).where(*self._works(token, purpose)).values(used_at=now, updated_at=now)
        row = (await session.execute(used.returning(*_person))).one_or_none()
        if row is None:
            return None
        linked = Linked(*row)
        unverified = (_users.c.id == linked.user_id, _users.c.email_verified_at.is_(None))
        await session.execute(update(_users).where(*unverified).values(email_verified_at=now))
        return linked

    async def withdraw(self, session: AsyncSession, user_id: UUID) -> None:
        """No link that the user has been sent works any more."""
        await session.execute(delete(_links).where(_links.c.user_id == user_id))

    async def purge(self, session: AsyncSession, limit: int = 1000) -> int:
        """Delete expired links, those that others are deleting aside; how many."""
        return await purge_rows(session, _links, _links.c.expires_at < self._clock(), limit)

    def _works(self, token: str, purpose: Purpose) -> Sequence[ColumnElement[bool]]:
        """An invitation is over when its user has a password, however that came about."""
        conditions = [
            _links.c.digest == digest(token),
            _links.c.purpose == purpose,
            _links.c.used_at.is_(None),
            _links.c.expires_at > self._clock(),
            _users.c.id == _links.c.user_id,
            _users.c.disabled_at.is_(None),
        ]
        return [*conditions, _users.c.password_hash.is_(None)] if purpose == "invitation" else conditions
