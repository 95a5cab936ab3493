"""The chain: each event's hash covers the event and the hash before it, so that nothing can be changed, left out, put
in between or moved without all that follows showing it.

    hash = SHA-256(hash before | position, 8 bytes big-endian | content | newline | actor's name | newline | target's)
    content = the JSON array of an event's other fields, as `content` writes it; a name has its length before it

The database computes it while it holds the lock on the head's row, in the statement that writes the event: that is
what makes the order of events the order of commits.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from tenants.statements import Statement

#: What the first event is chained to.
GENESIS: Final = bytes(32)
#: The fields that are hashed, in their order. Two more come in between: the names, which the database looks up.
FIELDS: Final = (
    "id",
    "occurred_at",
    "action",
    "actor_kind",
    "actor_id",
    "client_id",
    "target_kind",
    "target_id",
    "address",
    "request_id",
    "details",
)

# Names of people and clients are looked up here, where it costs no round trip. They are what they are at this moment.
APPEND: Final = text("""
WITH named AS (
    SELECT COALESCE(CAST(:actor_name AS text),
                    (SELECT email FROM users WHERE id = CAST(:actor_user AS uuid)),
                    (SELECT name FROM oauth_clients WHERE client_id = CAST(:actor_client AS text))) AS actor,
           COALESCE(CAST(:target_name AS text),
                    (SELECT email FROM users WHERE id = CAST(:target_user AS uuid)),
                    (SELECT name FROM oauth_clients WHERE client_id = CAST(:target_client AS text))) AS target
), linked AS (
    UPDATE audit_head SET
        position = audit_head.position + 1,
        hash = sha256(audit_head.hash || int8send(audit_head.position + 1) || convert_to(
            CAST(:content AS text)
            || chr(10) || COALESCE(char_length(named.actor) || '=' || named.actor, '')
            || chr(10) || COALESCE(char_length(named.target) || '=' || named.target, ''), 'UTF8'))
    FROM named WHERE audit_head.id = 1
    RETURNING audit_head.position AS position, audit_head.hash AS hash, named.actor AS actor, named.target AS target
)
INSERT INTO audit_events (id, position, occurred_at, action, actor_kind, actor_id, actor_name, client_id,
                          target_kind, target_id, target_name, address, request_id, details, hash)
SELECT CAST(:id AS uuid), position, CAST(:occurred_at AS timestamptz), CAST(:action AS text), CAST(:actor_kind AS text),
       CAST(:actor_id AS text), actor, CAST(:client_id AS text), CAST(:target_kind AS text), CAST(:target_id AS text),
       target, CAST(:address AS text), CAST(:request_id AS text), CAST(:details AS text), hash
FROM linked
RETURNING position
""")
#: The same for a `tenants.direct.Direct`.
APPEND_DIRECT: Final = Statement(APPEND)


def content(event: Sequence[Any]) -> str:
    """What is hashed of an event, but its names: the values of FIELDS, as they are stored."""
    return json.dumps([_plain(value) for value in event], ensure_ascii=False, separators=(",", ":"))


def next_hash(before: bytes, position: int, hashed: str, actor_name: str | None, target_name: str | None) -> bytes:
    """What the database has computed for an event of this content."""
    names = "".join("\n" if name is None else f"\n{len(name)}={name}" for name in (actor_name, target_name))
    return sha256(before + position.to_bytes(8, "big") + (hashed + names).encode()).digest()


def _plain(value: Any) -> str | None:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case UUID():
            return str(value)
        case _:
            return None if value is None else str(value)
