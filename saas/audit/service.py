"""Events: recorded while a transaction runs, written as its last statements: what changes and what is told of it are
one.

    record(session, "client.created", target=Target("client", client_id, name), details={"scopes": scopes})

There is no way to change an event, and none to delete one but `AuditService.prune`, from the oldest on.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from saas.audit.actor import Actor, current
from saas.audit.chain import APPEND, APPEND_DIRECT, FIELDS, content
from tenants.base import new_id, utc_now
from tenants.database import before_commit
from tenants.direct import Direct

_COLLECTED: Final = "saas.audit.events"
_MAX_TEXT: Final = 400
#: Characters of an event's details; longer values are cut before.
_MAX_DETAILS: Final = 4000


@dataclass(frozen=True, slots=True)
class Target:
    """What an action was done to. A `user` (id) or a `client` (client id) without a name has it looked up."""

    kind: str
    id: str | UUID | None = None
    name: str | None = None


def record(
    session: AsyncSession | Direct,
    action: str,
    *,
    target: Target | None = None,
    details: Mapping[str, Any] | None = None,
    actor: Actor | None = None,
) -> None:
    """Let this transaction of a tenant write an event, if it commits. `action` is one of `actions.ACTIONS`.

    Who did it comes from the request, unless `actor` says it. `details` become JSON: names and values that people may
    read later, never a secret, a hash or a token. Long texts are cut.
    """
    collected = session.info.get(_COLLECTED)
    if collected is None:
        collected = session.info[_COLLECTED] = []
        before_commit(session, partial(_write, session))
    collected.append(_event(action, target or Target(""), details or {}, actor))


def _event(action: str, target: Target, details: Mapping[str, Any], actor: Actor | None) -> dict[str, Any]:
    """Parameters of APPEND."""
    who, origin = current()
    who = actor or who
    event: dict[str, Any] = {
        "id": new_id(),
        "occurred_at": utc_now(),
        "action": action,
        "actor_kind": who.kind,
        "actor_id": _line(who.id),
        "client_id": _line(who.client_id),
        "target_kind": target.kind or None,
        "target_id": _line(target.id),
        "address": origin.address,
        "request_id": origin.request_id,
        "details": _document(details),
    }
    return {
        **event,
        "content": content([event[name] for name in FIELDS]),
        "actor_name": _line(who.name),
        "actor_user": _uuid(who.id) if who.kind == "user" else None,
        "actor_client": event["actor_id"] if who.kind == "client" else None,
        "target_name": _line(target.name),
        "target_user": _uuid(target.id) if target.kind == "user" else None,
        "target_client": event["target_id"] if target.kind == "client" else None,
    }


async def _write(session: AsyncSession | Direct) -> None:
    """Of transactions that come here at once, each waits for the one before to commit. Raises RuntimeError."""
    for event in session.info.pop(_COLLECTED):
        written: object
        if isinstance(session, Direct):
            written = await session.row(APPEND_DIRECT, **event)
        else:
            written = (await session.execute(APPEND, event)).one_or_none()
        if written is None:
            raise RuntimeError("The audit log has no head row, so nothing can be recorded: see `saas audit verify`")


def _line(value: object) -> str | None:
    """One line of a bounded length, that PostgreSQL takes."""
    if value is None:
        return None
    return "".join(character for character in str(value)[:_MAX_TEXT] if character.isprintable())


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _document(details: Mapping[str, Any]) -> str:
    """JSON with its names in order. Details that are too long all together are only counted."""
    document = json.dumps({name: _value(value) for name, value in sorted(details.items())}, separators=(",", ":"))
    return document if len(document) <= _MAX_DETAILS else json.dumps({"omitted": len(document)}, separators=(",", ":"))


def _value(value: object) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case datetime():
            return value.isoformat()
        case Mapping():
            return {str(name): _value(inner) for name, inner in sorted(value.items())}
        case list() | tuple():
            return [_value(inner) for inner in value]
        case set() | frozenset():
            return sorted(str(inner) for inner in value)
        case _:
            return _line(value)
