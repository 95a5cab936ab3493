"""Second factors of a tenant's people: an authenticator app, and recovery codes for whoever has lost everything else.

Transactions are the tenant's. Passkeys, which are second factors too, have a service of their own.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import CursorResult, Table, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from saas.audit.service import Target, record
from saas.identity.errors import FactorRequired
from saas.identity.models import PasskeyRow, RecoveryCodeRow, TotpFactorRow, UserRow
from saas.identity.policy import COLUMNS, policy_of
from saas.identity.totp import matching_step, new_totp_secret
from saas.kit.clock import Clock, utc_now
from saas.kit.crypto import Sealer, UnsealError, digest
from saas.kit.ids import new_password
from tenants.registry import Tenant

RECOVERY_CODES: Final = 10
#: As long as somebody may need to find their telephone.
_PROPOSED_FOR: Final = timedelta(minutes=30)
_TIME_BYTES: Final = 8
_CODE_LENGTH: Final = 20
_NOISE: Final = re.compile(r"[^a-z0-9]+")
_users: Final[Table] = UserRow.metadata.tables[UserRow.__tablename__]
_totp: Final[Table] = TotpFactorRow.metadata.tables[TotpFactorRow.__tablename__]
_codes: Final[Table] = RecoveryCodeRow.metadata.tables[RecoveryCodeRow.__tablename__]
_passkeys: Final[Table] = PasskeyRow.metadata.tables[PasskeyRow.__tablename__]


@dataclass(frozen=True, slots=True)
class Factors:
    """What a person has; `required` says that the tenant's policy wants at least one factor of them."""

    totp: bool
    passkeys: int
    #: Those that are left.
    recovery_codes: int
    required: bool

    @property
    def any(self) -> bool:
        return self.totp or self.passkeys > 0


class Proposal(NamedTuple):
    """A secret that is nobody's yet: shown, and sent back with the first code. `sealed` fits this person alone."""

    secret: str
    sealed: str


class FactorService:
    def __init__(self, sealer: Sealer, clock: Clock = utc_now) -> None:
        self._sealer = sealer
        self._clock = clock

    async def of(self, session: AsyncSession, user_id: UUID) -> Factors:
        """One SELECT; of nobody, nothing."""
        query = select(
            _users.c.roles,
            select(_totp.c.user_id).where(_totp.c.user_id == user_id).exists(),
            select(func.count()).where(_passkeys.c.user_id == user_id).scalar_subquery(),
            select(func.count()).where(_codes.c.user_id == user_id, _codes.c.used_at.is_(None)).scalar_subquery(),
            *(select(column).scalar_subquery() for column in COLUMNS),
        ).where(_users.c.id == user_id)
        row: Any = (await session.execute(query)).one_or_none()
        if row is None:
            return Factors(totp=False, passkeys=0, recovery_codes=0, required=False)
        roles, totp, passkeys, codes, *policy = row
        required = policy_of(policy if policy[0] else None).requires_factor(roles)
        return Factors(totp=totp, passkeys=passkeys, recovery_codes=codes, required=required)

    def propose(self, tenant: Tenant, user_id: UUID, known: str = "") -> Proposal:
        """A new secret; or that of `known`, what was sealed before, while it may still be used."""
        secret = self._proposed(tenant, user_id, known) or new_totp_secret()
        stamp = int(self._clock().timestamp()).to_bytes(_TIME_BYTES, "big")
        sealed = self._sealer.seal(stamp + secret.encode(), _context(b"totp proposal", tenant, user_id))
        return Proposal(secret, urlsafe_b64encode(sealed).decode())

    async def add_totp(self, session: AsyncSession, tenant: Tenant, user_id: UUID, sealed: str, code: str) -> bool:
        """Whether the code shows that the app has the proposed secret, and there was no app before."""
        secret = self._proposed(tenant, user_id, sealed)
        step = None if secret is None else matching_step(secret, code, self._clock())
        if secret is None or step is None:
            return False
        now = self._clock()
        stored = self._sealer.seal(secret.encode(), totp_context(tenant.id, user_id))
        values = {"user_id": user_id, "secret": stored, "last_step": step, "created_at": now, "updated_at": now}
        added = insert(_totp).values(values).on_conflict_do_nothing().returning(_totp.c.user_id)
        if (await session.execute(added)).one_or_none() is None:
            return False
        record(session, "factor.added", target=Target("user", user_id), details={"factor": "authenticator app"})
        return True

    async def check_totp(self, session: AsyncSession, tenant: Tenant, user_id: UUID, code: str) -> bool:
        """Whether the app shows this code now; if so, neither it nor an older one is accepted again."""
        sealed = await session.scalar(select(_totp.c.secret).where(_totp.c.user_id == user_id))
        if sealed is None:
            return False
        context = totp_context(tenant.id, user_id)
        secret = self._sealer.open(sealed, context)
        step = matching_step(secret.decode(), code, self._clock())
        if step is None:
            return False
        stored = sealed if self._sealer.is_current(sealed) else self._sealer.seal(secret, context)
        used = update(_totp).where(_totp.c.user_id == user_id, _totp.c.last_step < step)
        values = {"last_step": step, "secret": stored, "updated_at": self._clock()}
        return (await session.execute(used.values(values).returning(_totp.c.user_id))).one_or_none() is not None

    async def remove_totp(self, session: AsyncSession, user_id: UUID) -> bool:
        """False where there was none. Raises FactorRequired."""
        await self.check_not_last(session, user_id)
        if not (await self.of(session, user_id)).totp:
            return False
        await session.execute(delete(_totp).where(_totp.c.user_id == user_id))
        record(session, "factor.removed", target=Target("user", user_id), details={"factor": "authenticator app"})
        await self.drop_idle_codes(session, user_id)
        return True

    async def check_not_last(self, session: AsyncSession, user_id: UUID) -> None:
        """Before one factor is removed, of which there is one. Raises FactorRequired."""
        await session.execute(select(_users.c.id).where(_users.c.id == user_id).with_for_update(key_share=True))
        factors = await self.of(session, user_id)
        if factors.required and factors.totp + factors.passkeys <= 1:
            raise FactorRequired("A second factor is required of you here: add another one before you remove this one.")

    async def drop_idle_codes(self, session: AsyncSession, user_id: UUID) -> None:
        """Recovery codes stand for other factors: with the last of these, they go."""
        if not (await self.of(session, user_id)).any:
            await session.execute(delete(_codes).where(_codes.c.user_id == user_id))

    async def new_recovery_codes(self, session: AsyncSession, user_id: UUID) -> list[str]:
        """Ten codes, to be shown this once; those from before do not work any more."""
        codes = [new_password() for _ in range(RECOVERY_CODES)]
        now = self._clock()
        await session.execute(delete(_codes).where(_codes.c.user_id == user_id))
        rows = [{"user_id": user_id, "digest": _code_digest(user_id, code), "created_at": now} for code in codes]
        await session.execute(insert(_codes).values([row | {"used_at": None} for row in rows]))
        record(session, "recovery_codes.created", target=Target("user", user_id))
        return codes

    async def use_recovery_code(self, session: AsyncSession, user_id: UUID, code: str) -> bool:
        """Whether it is one of the user's that has not been used; it is now."""
        unused = (_codes.c.digest == _code_digest(user_id, code), _codes.c.used_at.is_(None))
        used = update(_codes).where(_codes.c.user_id == user_id, *unused).values(used_at=self._clock())
        if (await session.execute(used.returning(_codes.c.user_id))).one_or_none() is None:
            return False
        record(session, "recovery_codes.used", target=Target("user", user_id))
        return True

    async def reset(self, session: AsyncSession, user_id: UUID) -> int:
        """Take away all factors of somebody who has lost them; how many there were."""
        count = 0
        for table in (_totp, _passkeys):
            removed: CursorResult[Any] = await session.execute(delete(table).where(table.c.user_id == user_id))  # type: ignore[assignment]  # what DML yields
            count += removed.rowcount
        await session.execute(delete(_codes).where(_codes.c.user_id == user_id))
        record(session, "factor.removed", target=Target("user", user_id), details={"factor": "all", "count": count})
        return count

    def _proposed(self, tenant: Tenant, user_id: UUID, sealed: str) -> str | None:
        try:
            plain = self._sealer.open(urlsafe_b64decode(sealed), _context(b"totp proposal", tenant, user_id))
        except (UnsealError, ValueError):  # binascii.Error is one too
            return None
        age = self._clock().timestamp() - int.from_bytes(plain[:_TIME_BYTES], "big")
        return plain[_TIME_BYTES:].decode() if age <= _PROPOSED_FOR.total_seconds() else None


def is_recovery_code(typed: str) -> bool:
    """Whether it has the form of one, rather than of an app's code."""
    return len(_NOISE.sub("", typed.lower())) == _CODE_LENGTH


def _code_digest(user_id: UUID, code: str) -> bytes:
    """Of 99 random bits, a fast hash does; however it is typed."""
    return digest(f"{user_id.hex} {_NOISE.sub('', code.lower())}")


def totp_context(tenant_id: UUID, user_id: UUID) -> bytes:
    """Where a stored secret belongs: it opens for no other tenant and nobody else."""
    return b"totp\0" + tenant_id.bytes + user_id.bytes


def _context(purpose: bytes, tenant: Tenant, user_id: UUID) -> bytes:
    return purpose + b"\0" + tenant.id.bytes + user_id.bytes
