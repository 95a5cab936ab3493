"""Passkeys (WebAuthn level 3): made, asked for, proven. Transactions are the tenant's.

They are discoverable and verify their user, so that each may sign its owner in alone, and be a second step as well.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Table, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from saas.audit.service import Target, record
from saas.identity.challenges import Place, new_challenge, open_challenge
from saas.identity.errors import PasskeyRefused
from saas.identity.models import PasskeyRow, SpentChallengeRow, UserRow
from saas.kit.clock import Clock, utc_now
from saas.kit.crypto import Sealer, digest
from tenants.purge import purge_rows

if TYPE_CHECKING:
    from saas.identity.ceremonies import Known

log = logging.getLogger(__name__)

MOST: Final = 20
MAX_NAME: Final = 60
_passkeys: Final[Table] = PasskeyRow.metadata.tables[PasskeyRow.__tablename__]
_spent: Final[Table] = SpentChallengeRow.metadata.tables[SpentChallengeRow.__tablename__]
_users: Final[Table] = UserRow.metadata.tables[UserRow.__tablename__]
_STALE: Final = "This page was open too long, or in another window. Try again."


@dataclass(frozen=True, slots=True)
class Passkey:
    """As its owner sees it. `host` is where browsers offer it."""

    id: UUID
    name: str
    host: str
    synced: bool
    created_at: datetime
    last_used_at: datetime | None


class Ceremony(NamedTuple):
    """`options` is JSON for the browser; `state` comes back beside its answer."""

    options: str
    state: str


class Proof(NamedTuple):
    """Who has proven what: `amr` after RFC 8176, of the passkey alone."""

    user_id: UUID
    amr: tuple[str, ...]


class PasskeyService:
    """What it raises is PasskeyRefused. `answer` is what the browser gave, as JSON; `state` that of the ceremony."""

    def __init__(self, sealer: Sealer, clock: Clock = utc_now) -> None:
        self._sealer = sealer
        self._clock = clock

    async def ask_to_create(self, session: AsyncSession, place: Place, email: str, name: str) -> Ceremony:
        from saas.identity import ceremonies  # noqa: PLC0415 - slow to import: where a passkey is used, and not before

        value, state = new_challenge(self._sealer, place, self._clock())
        known = await _known(session, place)
        options = ceremonies.ask_to_create(place, value, known, email=email, name=name)
        return Ceremony(options, state)

    async def add(self, session: AsyncSession, place: Place, state: str, answer: str, name: str) -> tuple[str, ...]:
        """`place.user_id` has the passkey from now on; `amr` of what making it has proven."""
        from saas.identity import ceremonies  # noqa: PLC0415 - as above

        challenge = open_challenge(self._sealer, place, state, self._clock())
        if challenge is None:
            raise PasskeyRefused(_STALE)
        made = ceremonies.check_made(place, challenge.value, answer)
        await self._spend(session, challenge.value, challenge.expires_at)
        # Of two at once, one waits here: the number stays true.
        await session.execute(select(_users.c.id).where(_users.c.id == place.user_id).with_for_update(key_share=True))
        count = await session.scalar(select(func.count()).where(_passkeys.c.user_id == place.user_id)) or 0
        if count >= MOST:
            raise PasskeyRefused(f"You have {MOST} passkeys: remove one first.")
        now, label = self._clock(), _name(name)
        row = PasskeyRow(
            user_id=place.user_id,
            name=label,
            host=place.host,
            credential_id=made.credential_id,
            public_key=made.public_key,
            sign_count=made.sign_count,
            synced=made.synced,
            transports=made.transports,
            created_at=now,
            updated_at=now,
        )
        taken = await session.scalar(select(_passkeys.c.id).where(_passkeys.c.credential_id == row.credential_id))
        if taken is not None:
            raise PasskeyRefused("This passkey has been added already.")
        session.add(row)
        await session.flush()
        record(session, "passkey.added", target=Target("user", place.user_id), details={"passkey": label})
        return _amr(row.synced)

    async def ask(self, session: AsyncSession, place: Place) -> Ceremony | None:
        """For `place.user_id`; None where they have no passkey for this host."""
        known = await _known(session, place)
        return self._ask(place, known) if known else None

    def ask_anybody(self, place: Place) -> Ceremony:
        """For whoever has a passkey in their browser."""
        return self._ask(place, [])

    async def prove(self, session: AsyncSession, place: Place, state: str, answer: str) -> Proof:
        """Whose passkey has answered: that of `place.user_id`, where it says one. Their account is enabled."""
        from saas.identity import ceremonies  # noqa: PLC0415 - as above

        challenge = open_challenge(self._sealer, place, state, self._clock())
        if challenge is None:
            raise PasskeyRefused(_STALE)
        claim = ceremonies.read_claim(answer)
        row = await self._locked(session, place, claim.credential_id)
        if row is None or (claim.user_handle is not None and claim.user_handle != row.user_id.bytes):
            raise PasskeyRefused(ceremonies.WRONG)
        sign_count = ceremonies.check_proof(place, challenge.value, answer, row.public_key)
        if row.sign_count and sign_count <= row.sign_count:
            log.warning("The passkey %s of the user %s counts backwards: there may be a copy", row.id, row.user_id)
            raise PasskeyRefused("This passkey may have been copied, and was not accepted: remove it, use another way.")
        await self._spend(session, challenge.value, challenge.expires_at)
        now = self._clock()
        changes = {"sign_count": sign_count, "last_used_at": now, "updated_at": now}
        await session.execute(update(_passkeys).where(_passkeys.c.id == row.id).values(changes))
        return Proof(row.user_id, _amr(row.synced))

    async def list(self, session: AsyncSession, user_id: UUID) -> list[Passkey]:
        """The oldest first."""
        columns = (_passkeys.c[name] for name in Passkey.__slots__)
        rows = await session.execute(select(*columns).where(_passkeys.c.user_id == user_id).order_by(_passkeys.c.id))
        return [Passkey(*row) for row in rows]

    async def rename(self, session: AsyncSession, user_id: UUID, passkey_id: UUID, name: str) -> bool:
        """False where there is no such passkey of the user."""
        before, after = await _own_name(session, user_id, passkey_id), _name(name)
        if before is None:
            return False
        values = {"name": after, "updated_at": self._clock()}
        await session.execute(update(_passkeys).where(_passkeys.c.id == passkey_id).values(values))
        record(session, "passkey.renamed", target=Target("user", user_id), details={"from": before, "to": after})
        return True

    async def remove(self, session: AsyncSession, user_id: UUID, passkey_id: UUID) -> str | None:
        """What it was called; None where there is no such passkey of the user."""
        name = await _own_name(session, user_id, passkey_id)
        if name is not None:
            await session.execute(delete(_passkeys).where(_passkeys.c.id == passkey_id))
            record(session, "passkey.removed", target=Target("user", user_id), details={"passkey": name})
        return name

    async def purge(self, session: AsyncSession, limit: int = 1000) -> int:
        """Delete spent challenges that could not be answered any more, those that others are deleting aside."""
        return await purge_rows(session, _spent, _spent.c.expires_at < self._clock(), limit)

    def _ask(self, place: Place, allowed: "Sequence[Known]") -> Ceremony:
        from saas.identity import ceremonies  # noqa: PLC0415 - as above

        value, state = new_challenge(self._sealer, place, self._clock())
        return Ceremony(ceremonies.ask(place, value, allowed), state)

    async def _locked(self, session: AsyncSession, place: Place, credential_id: bytes) -> Any:
        columns = ("id", "user_id", "public_key", "sign_count", "synced")
        query = select(*(_passkeys.c[name] for name in columns)).join(_users, _users.c.id == _passkeys.c.user_id)
        query = query.where(_passkeys.c.credential_id == credential_id, _passkeys.c.host == place.host)
        query = query.where(_users.c.disabled_at.is_(None))
        if place.user_id is not None:
            query = query.where(_passkeys.c.user_id == place.user_id)
        return (await session.execute(query.with_for_update())).one_or_none()

    async def _spend(self, session: AsyncSession, challenge: bytes, expires_at: datetime) -> None:
        statement = insert(_spent).values(digest=digest(challenge.decode()), expires_at=expires_at)
        spent = await session.scalar(statement.on_conflict_do_nothing().returning(_spent.c.digest))
        if spent is None:
            raise PasskeyRefused(_STALE)


def _amr(synced: bool) -> tuple[str, ...]:
    """A key in software or hardware, whose holder was there (RFC 8176)."""
    return ("swk" if synced else "hwk", "user")


def _name(name: str) -> str:
    """One line; a name of ours where there is none."""
    return "".join(each for each in name if each.isprintable()).strip()[:MAX_NAME] or "Passkey"


async def _own_name(session: AsyncSession, user_id: UUID, passkey_id: UUID) -> str | None:
    """Of a passkey that is this user's; it is locked."""
    mine = select(_passkeys.c.name).where(_passkeys.c.user_id == user_id, _passkeys.c.id == passkey_id)
    name: str | None = await session.scalar(mine.with_for_update())
    return name


async def _known(session: AsyncSession, place: Place) -> "list[Known]":
    """Of the person's passkeys at this host; nothing where nobody is known."""
    if place.user_id is None:
        return []
    query = select(_passkeys.c.credential_id, _passkeys.c.transports).order_by(_passkeys.c.id)
    rows = await session.execute(query.where(_passkeys.c.user_id == place.user_id, _passkeys.c.host == place.host))
    return [(key, transports) for key, transports in rows]
