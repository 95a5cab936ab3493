"""The life of a signing key: next (published), active (signs), retiring (verifies what it signed), retired (gone).

A key is published for a while before it signs, so that whoever has cached the set knows it by then; and for as long
after it has signed as its longest token lives. Transactions are the tenant's.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from saas.audit.service import Target, record
from saas.keys.errors import SigningKeyNotFound
from saas.keys.material import context_of, generate, row_values
from saas.keys.models import SigningKeyRow
from saas.kit.clock import Clock, utc_now
from saas.kit.crypto import Sealer
from saas.settings import KeysSettings, TokensSettings
from tenants.changes import mark_changed

_keys: Final[Table] = SigningKeyRow.metadata.tables[SigningKeyRow.__tablename__]
#: A process that has not heard of a rotation yet may still sign with the key before.
_MARGIN: Final = timedelta(minutes=1)
#: What a rotation by hand has done.
Done = Literal["published", "activated"]
#: By the kind of a step; that an older key was retired meanwhile is no part of it.
_DONE: Final[Mapping[str, Done]] = {"publish": "published", "activate": "activated"}


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """`retired_at` is when it is retired, or will be; None as long as nothing follows it."""

    kid: str
    algorithm: str
    status: str
    created_at: datetime
    activated_at: datetime | None
    retired_at: datetime | None


class Step(NamedTuple):
    """`publish` a new key of an algorithm; let a key `activate`, in place of the one before; `retire` a key."""

    kind: str
    algorithm: str
    kid: str = ""


class KeyLifecycle:
    def __init__(self, sealer: Sealer, keys: KeysSettings, tokens: TokensSettings, clock: Clock = utc_now) -> None:
        self._sealer = sealer
        self._rotate_after = timedelta(seconds=keys.rotate_after)
        self.publish_before = timedelta(seconds=keys.publish_before)
        self._verifies = timedelta(seconds=max(tokens.access_ttl, tokens.id_ttl)) + _MARGIN
        self._clock = clock

    async def list(self, session: AsyncSession) -> list[KeyInfo]:
        """All keys that the tenant has had, the oldest first."""
        rows = await session.execute(select(*(_keys.c[name] for name in KeyInfo.__slots__)).order_by(_keys.c.id))
        return [KeyInfo(*row) for row in rows]

    async def advance(self, session: AsyncSession, tenant_id: UUID) -> int:
        """Take the steps that are due by age; how many. One SELECT where there is nothing to do."""
        return len(await self._take(session, tenant_id, self._rotate_after, None))

    async def published(self, session: AsyncSession) -> Sequence[KeyInfo]:
        """Those that are not retired, the oldest first."""
        return [key for key in await self.list(session) if key.status != "retired"]

    async def rotate(self, session: AsyncSession, tenant_id: UUID, algorithm: str) -> Done | None:
        """Publish the next key now, whatever the age of the active one; or activate it, if it is published long enough.

        None where the next key is still too new. Raises SigningKeyNotFound.
        """
        if all(key.algorithm != algorithm for key in await self.list(session)):
            raise SigningKeyNotFound(f"There is no {algorithm} key here: one is made when a client first needs it")
        taken = await self._take(session, tenant_id, timedelta(0), algorithm)
        return next((_DONE[step.kind] for step in taken if step.kind in _DONE), None)

    def rotatable(self, keys: Iterable[KeyInfo]) -> frozenset[str]:
        """The algorithms for which `rotate` would do something now."""
        due = steps(keys, self._clock(), rotate_after=timedelta(0), publish_before=self.publish_before)
        return frozenset(step.algorithm for step in due if step.kind in _DONE)

    async def rewrap(self, session: AsyncSession, tenant_id: UUID) -> int:
        """Seal anew what a previous master key has sealed; how many keys. Raises UnsealError."""
        kept = select(_keys.c.id, _keys.c.kid, _keys.c.private_key).where(_keys.c.status != "retired")
        done = 0
        for key_id, kid, sealed in (await session.execute(kept.order_by(_keys.c.id).with_for_update())).all():
            if self._sealer.is_current(sealed):
                continue
            context = context_of(tenant_id, kid)
            anew = self._sealer.seal(self._sealer.open(sealed, context), context)
            await session.execute(update(_keys).where(_keys.c.id == key_id).values(private_key=anew))
            done += 1
        if done:
            record(session, "key.rewrapped", details={"keys": done})
        return done

    async def _take(
        self, session: AsyncSession, tenant_id: UUID, rotate_after: timedelta, algorithm: str | None
    ) -> Sequence[Step]:
        def due(keys: Sequence[KeyInfo]) -> list[Step]:
            chosen = [key for key in keys if algorithm in {None, key.algorithm}]
            return steps(chosen, self._clock(), rotate_after=rotate_after, publish_before=self.publish_before)

        if not due(await self.list(session)):
            return ()
        # Of several who come here at once, each looks again when it is its turn: locked rows alone show no new ones.
        await session.execute(select(_keys.c.id).order_by(_keys.c.id).with_for_update())
        taken = due(await self.list(session))
        for step in taken:
            await self._take_one(session, tenant_id, step)
        if taken:
            mark_changed(session, tenant_id)
        return taken

    async def _take_one(self, session: AsyncSession, tenant_id: UUID, step: Step) -> None:
        now = self._clock()
        change = update(_keys).where(_keys.c.algorithm == step.algorithm)
        if step.kind == "publish":
            key = await asyncio.to_thread(generate, step.algorithm)
            values = row_values(
                key, algorithm=step.algorithm, status="next", sealer=self._sealer, tenant_id=tenant_id, now=now
            )
            await session.execute(insert(_keys).values(values))
            _record(session, "key.published", step.algorithm, values["kid"])
        elif step.kind == "activate":
            replaced = change.where(_keys.c.status == "active")
            await session.execute(replaced.values(status="retiring", retired_at=now + self._verifies, updated_at=now))
            activated = change.where(_keys.c.kid == step.kid)
            await session.execute(activated.values(status="active", activated_at=now, updated_at=now))
            _record(session, "key.activated", step.algorithm, step.kid)
        else:
            retired = change.where(_keys.c.kid == step.kid)
            await session.execute(retired.values(status="retired", private_key=b"", updated_at=now))
            _record(session, "key.retired", step.algorithm, step.kid)


def _record(session: AsyncSession, action: str, algorithm: str, kid: str) -> None:
    record(session, action, target=Target("key", kid), details={"algorithm": algorithm})


def steps(keys: Iterable[KeyInfo], now: datetime, *, rotate_after: timedelta, publish_before: timedelta) -> list[Step]:
    """What is due. Pure."""
    due: list[Step] = []
    keys = list(keys)
    following = {key.algorithm: key for key in keys if key.status == "next"}
    for key in keys:
        if key.status == "retiring" and key.retired_at is not None and key.retired_at <= now:
            due.append(Step("retire", key.algorithm, key.kid))
        if key.status != "active" or key.activated_at is None:
            continue
        after = following.get(key.algorithm)
        if after is None and key.activated_at + rotate_after - publish_before <= now:
            due.append(Step("publish", key.algorithm))
        if after is not None and after.created_at + publish_before <= now:
            due.append(Step("activate", key.algorithm, after.kid))
    return due
