"""Whether a tenant's log is what was written: its chain is computed again, from the last pruned event to the head.

Whoever can write to the database as its owner can make a chain anew from any event on, and a head that goes with it. A
place of the chain that was kept elsewhere, an anchor, shows that too: `412:9f86...`, the position and hash of an event.
"""

import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Table, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from saas.audit.chain import FIELDS, content, next_hash
from saas.audit.models import EventRow, HeadRow
from saas.web.problems import InvalidRequest
from tenants.database import Database, HasSchema

_BATCH: Final = 2000
_ANCHOR: Final = re.compile(r"(\d{1,18}):([0-9a-f]{64})")
_events: Final[Table] = EventRow.metadata.tables[EventRow.__tablename__]
_head: Final[Table] = HeadRow.metadata.tables[HeadRow.__tablename__]
_columns: Final = tuple(_events.c[name] for name in (*FIELDS, "actor_name", "target_name", "position", "hash"))
#: Before any other statement. What is appended or pruned meanwhile is for the next time.
_SNAPSHOT: Final = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


class Anchor(NamedTuple):
    """A place of the chain."""

    position: int
    hash: bytes

    @classmethod
    def parse(cls, written: str) -> "Anchor":
        """Raises InvalidRequest."""
        parts = _ANCHOR.fullmatch(written.strip().lower())
        if parts is None:
            raise InvalidRequest("An anchor is a position, a colon and 64 hexadecimal digits, as `verify` prints it")
        return cls(int(parts[1]), bytes.fromhex(parts[2]))

    def __str__(self) -> str:
        return f"{self.position}:{self.hash.hex()}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`broken` is the first thing that is wrong, in words; None: nothing is. `head` is the anchor to keep.

    Behind what is broken nothing was looked at: `events` counts those that are right.
    """

    events: int
    pruned: int
    head: Anchor | None
    broken: str | None


async def verify(database: Database, tenant: HasSchema, anchor: Anchor | None = None) -> Verdict:
    """Compute the chain again, in one snapshot and in batches."""
    async with database.tenant_session(tenant) as session:
        await session.execute(_SNAPSHOT)
        head = (await session.execute(select(_head))).one_or_none()
        if head is None:
            return Verdict(0, 0, None, "The head row is gone, which says where the log ends")
        walk = _Walk(Anchor(head.pruned_position, head.pruned_hash), anchor)
        broken = await walk.to_end(session) or walk.ends_at(Anchor(head.position, head.hash))
        return Verdict(walk.events, head.pruned_position, Anchor(head.position, head.hash), broken)


class _Walk:
    """From the last pruned event on. Its methods say what is broken."""

    def __init__(self, begin: Anchor, anchor: Anchor | None) -> None:
        self._last = begin
        self._anchor = anchor
        self.events = 0

    async def to_end(self, session: AsyncSession) -> str | None:
        if self._anchor is not None and self._anchor.position < self._last.position:
            return f"The anchor's event {self._anchor.position} was pruned, with all up to {self._last.position}"
        broken = self._not_anchored()
        earlier = await session.scalar(select(func.count()).where(_events.c.position <= self._last.position))
        if earlier:
            return f"{earlier} events are there that were pruned, up to {self._last.position}"
        while broken is None:
            following = select(*_columns).where(_events.c.position > self._last.position)
            rows = (await session.execute(following.order_by(_events.c.position).limit(_BATCH))).all()
            for row in rows:
                broken = self._next(row)
                if broken is not None:
                    return broken
            if len(rows) < _BATCH:
                return None
        return broken

    def ends_at(self, head: Anchor) -> str | None:
        if self._last.position < head.position:
            return f"The log ends at event {self._last.position}; its head says {head.position}: the end is missing"
        if self._last != head:
            return f"The log ends at event {self._last.position}, and not as its head (event {head.position}) says"
        if self._anchor is not None and self._anchor.position > self._last.position:
            return f"The log ends at event {self._last.position}, before the anchor's event {self._anchor.position}"
        return None

    def _next(self, row: Any) -> str | None:
        position = self._last.position + 1
        if row.position != position:
            gone = f"Event {position}" if row.position == position + 1 else f"Events {position} to {row.position - 1}"
            return f"{gone} missing"
        hashed = content(row[: len(FIELDS)])
        expected = next_hash(self._last.hash, position, hashed, row.actor_name, row.target_name)
        if expected != row.hash:
            return f"Event {position} ({row.action}) is not what was written"
        self._last = Anchor(position, row.hash)
        self.events += 1
        return self._not_anchored()

    def _not_anchored(self) -> str | None:
        """Whether this is the anchor's event, and another one than it was."""
        anchor = self._anchor
        if anchor is None or anchor.position != self._last.position or anchor == self._last:
            return None
        return f"Event {anchor.position} is not the anchor's: the log was written anew, from there or from earlier on"
