"""How the caches of every process learn that something stored has changed.

A transaction that changes what a cache holds calls `mark_changed`. On commit, its last statement counts the epoch up;
after commit the change is published (the transport is passed in). A process that hears a message with the next epoch
drops what belongs to that tenant; one that misses a message sees the gap when it polls, and drops everything.
"""

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.models import EpochRow

log = logging.getLogger(__name__)

_MARK = "tenants.changed"
_AFTER = "tenants.after_commit"
#: In a set of marks: everything may have changed.
_ALL = "*"


@dataclass(frozen=True, slots=True)
class Change:
    """One committed change. `tenants` is None where it concerns every tenant (a plan, say).

    Each database counts its own epochs, since the count is part of the transaction.
    """

    epoch: int
    tenants: frozenset[UUID] | None
    database: str = "default"

    def dump(self) -> bytes:
        ids = None if self.tenants is None else [str(tenant_id) for tenant_id in self.tenants]
        return json.dumps({"epoch": self.epoch, "tenants": ids, "database": self.database}).encode()

    @classmethod
    def load(cls, message: bytes) -> "Change":
        raw = json.loads(message)
        ids = raw["tenants"]
        tenants = None if ids is None else frozenset(UUID(str(value)) for value in ids)
        return cls(int(raw["epoch"]), tenants, str(raw.get("database", "default")))


def mark_changed(session: AsyncSession, tenant_id: UUID | None) -> None:
    """Say that this transaction changes what caches hold of a tenant, or of all of them (None)."""
    session.info.setdefault(_MARK, set()).add(_ALL if tenant_id is None else tenant_id)


class HasInfo(Protocol):
    """A transaction that carries what is to be done once it has committed: a session, or a `tenants.direct.Direct`."""

    @property
    def info(self) -> dict[Any, Any]: ...


def after_commit(session: HasInfo, action: Callable[[], Awaitable[None]]) -> None:
    """Run `action` once this transaction has committed, before its `async with` block ends; never if it rolls back."""
    session.info.setdefault(_AFTER, []).append(action)


def take_after_commit(session: HasInfo) -> list[Callable[[], Awaitable[None]]]:
    actions: list[Callable[[], Awaitable[None]]] = session.info.pop(_AFTER, [])
    return actions


async def count_epoch(session: AsyncSession, database: str) -> Change | None:
    """The last statement before a commit: lock and count the epoch, if the transaction marked a change."""
    marks: set[UUID | str] = session.info.pop(_MARK, set())
    if not marks:
        return None
    epoch = await session.scalar(
        update(EpochRow).where(EpochRow.id == 1).values(value=EpochRow.value + 1).returning(EpochRow.value)
    )
    if epoch is None:
        raise RuntimeError("The platform schema has no epoch row: run `saas migrate`")
    ids = None if _ALL in marks else frozenset(mark for mark in marks if isinstance(mark, UUID))
    return Change(epoch, ids, database)


class Changes:
    """One process's view of the changes: what it has seen, who listens, and how it tells the other processes.

    `publish` sends a message to every process; it may fail or lose messages, since processes also poll.
    """

    def __init__(self, publish: Callable[[bytes], Awaitable[None]] | None = None) -> None:
        self._publish = publish
        self._listeners: list[Callable[[UUID | None], None]] = []
        #: The newest epoch, by database.
        self._seen: dict[str, int] = {}

    def listen(self, listener: Callable[[UUID | None], None]) -> None:
        """Call `listener(tenant_id)` when a tenant changed, `listener(None)` when anything may have."""
        self._listeners.append(listener)

    async def committed(self, change: Change) -> None:
        """A transaction of this process has committed: apply its change here and tell the others."""
        self._apply(change)
        if self._publish is not None:
            try:
                await self._publish(change.dump())
            except Exception:  # noqa: BLE001 - the change is committed; a poll finds it where the message is lost
                log.warning("A change could not be published; other processes find it when they poll")

    def received(self, message: bytes) -> None:
        """A message from another process."""
        try:
            change = Change.load(message)
        except (ValueError, KeyError, TypeError):
            log.warning("An unreadable change message: dropping all cached entries")
            self._notify(None)
            return
        self._apply(change)

    async def poll(self, session: AsyncSession, database: str = "default") -> None:
        """Compare the epoch stored in a database with what was seen; a difference means that a message was lost."""
        epoch = await session.scalar(select(EpochRow.value).where(EpochRow.id == 1))
        if epoch is not None and epoch != self._seen.get(database):
            self._notify(None)
            self._seen[database] = epoch

    def _apply(self, change: Change) -> None:
        seen = self._seen.get(change.database)
        gap = seen is not None and change.epoch > seen + 1
        if change.tenants is None or gap:
            self._notify(None)
        else:
            for tenant_id in change.tenants:
                self._notify(tenant_id)
        self._seen[change.database] = max(change.epoch, seen or 0)

    def _notify(self, tenant_id: UUID | None) -> None:
        for listener in self._listeners:
            listener(tenant_id)
