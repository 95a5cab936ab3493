"""The audit log, read: one page, one event, or all of it in batches."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Select, Table, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from saas.audit.errors import EventNotFound
from saas.audit.models import EventRow, HeadRow
from saas.audit.service import record
from saas.web.paging import Page, decode_cursor, encode_cursor
from tenants.database import Database, HasSchema

_SORT: Final = "-position"
_events: Final[Table] = EventRow.metadata.tables[EventRow.__tablename__]
_head: Final[Table] = HeadRow.metadata.tables[HeadRow.__tablename__]
_searched: Final = (_events.c.actor_name, _events.c.target_name, _events.c.address, _events.c.details)


class Event(BaseModel):
    """One event. Names are those of its time; `client_id` is the app through which a person acted."""

    id: UUID
    position: int = Field(description="1, 2, 3... without gaps, in the order in which changes took effect")
    occurred_at: datetime
    action: str = Field(examples=["user.invited"])
    actor_kind: str = Field(description="user, client, operator, system or anonymous")
    actor_id: str | None
    actor_name: str | None
    client_id: str | None
    target_kind: str | None
    target_id: str | None
    target_name: str | None
    address: str | None
    request_id: str | None
    details: dict[str, Any]
    summary: str = Field(description="The action in words", examples=["Invited a user"])


_columns: Final = [_events.c[name] for name in Event.model_fields if name != "summary"]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Every condition that is given must hold."""

    #: `user.invited`, or all of a kind: `user`.
    action: str | None = None
    #: Ids, or names as they are shown: an e-mail address, say.
    actor: str | None = None
    target: str | None = None
    #: From then on, and before then.
    since: datetime | None = None
    until: datetime | None = None
    #: A part of a name, an address or the details, in any case. Nothing indexes it: give a period, too.
    query: str | None = None

    def told(self) -> dict[str, Any]:
        """The conditions that are given."""
        named = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in named if value is not None}


class AuditService:
    """`session` is one of the tenant whose log it is."""

    def __init__(self, actions: Iterable[tuple[str, str]]) -> None:
        """Actions and their words: those of `saas.audit.actions`, and of the features."""
        self.actions: Final[Mapping[str, str]] = dict(actions)

    async def list(
        self, session: AsyncSession, wanted: EventFilter, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Event]:
        """One page, the newest first; more may come in while somebody reads. Raises InvalidRequest at a bad cursor."""
        statement = self._select(wanted).order_by(_events.c.position.desc()).limit(limit + 1)
        if cursor is not None:
            position, _ = decode_cursor(cursor, _SORT, _parse_position)
            statement = statement.where(_events.c.position < position)
        rows = (await session.execute(statement)).all()
        items = [self._event(row) for row in rows[:limit]]
        more = len(rows) > limit
        return Page(items=items, next_cursor=self._place(items[-1]) if more else None)

    async def find(self, session: AsyncSession, event_id: UUID) -> Event:
        """Raises EventNotFound."""
        row = (await session.execute(select(*_columns).where(_events.c.id == event_id))).one_or_none()
        if row is None:
            raise EventNotFound(event_id)
        return self._event(row)

    async def export(
        self, database: Database, tenant: HasSchema, wanted: EventFilter, *, batch: int = 1000
    ) -> AsyncIterator[Sequence[Event]]:
        """Everything that is there now, the oldest first; each batch in a transaction of its own.

        That somebody took it is an event, too, which comes after what is exported.
        """
        async with database.tenant_session(tenant) as session:
            last: int = await session.scalar(select(_head.c.position)) or 0
            record(session, "audit.exported", details=wanted.told())
        position = 0
        statement = self._select(wanted).where(_events.c.position <= last).order_by(_events.c.position).limit(batch)
        while True:
            async with database.tenant_session(tenant) as session:
                rows = (await session.execute(statement.where(_events.c.position > position))).all()
            if rows:
                yield [self._event(row) for row in rows]
                position = rows[-1].position
            if len(rows) < batch:
                return

    def _select(self, wanted: EventFilter) -> Select[Any]:
        statement = select(*_columns)
        if wanted.action is not None:
            kind = f"{wanted.action}."
            named = [action for action in self.actions if action.startswith(kind)]
            statement = statement.where(_events.c.action.in_([wanted.action, *named]))
        if wanted.actor is not None:
            statement = statement.where(_is(_events.c.actor_id, _events.c.actor_name, wanted.actor))
        if wanted.target is not None:
            statement = statement.where(_is(_events.c.target_id, _events.c.target_name, wanted.target))
        if wanted.since is not None:
            statement = statement.where(_events.c.occurred_at >= wanted.since)
        if wanted.until is not None:
            statement = statement.where(_events.c.occurred_at < wanted.until)
        if wanted.query:
            parts = [column.icontains(wanted.query, autoescape=True) for column in _searched]
            statement = statement.where(or_(*parts))
        return statement

    def _event(self, row: Any) -> Event:
        """Without validation: it was checked on its way in."""
        values = row._asdict()
        details: dict[str, Any] = json.loads(values["details"])
        summary = self.actions.get(row.action, row.action)
        return Event.model_construct(**{**values, "details": details, "summary": summary})

    @staticmethod
    def _place(event: Event) -> str:
        return encode_cursor(_SORT, str(event.position), event.id)


def _is(key: ColumnElement[Any], name: ColumnElement[Any], value: str) -> ColumnElement[bool]:
    return or_(key == value, name == value)


def _parse_position(value: str) -> int:
    position = int(value)
    if not 0 < position < 2**63:
        raise ValueError("no position")
    return position
