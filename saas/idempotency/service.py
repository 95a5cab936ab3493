"""Answers of requests that carried an idempotency key, kept for a day. Nothing here commits.

Whoever works on a key holds an advisory lock of the transaction; the answer is a row of the same transaction as what
it tells of. So a key whose work was undone is as if it had never been sent.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Table, delete, func, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from saas.idempotency.errors import AnswerLost, KeyInUse, KeyReused
from saas.idempotency.models import KeptAnswerRow
from saas.kit.clock import utc_now
from saas.kit.crypto import Sealer, UnsealError, same
from tenants.purge import purge_rows

KEPT_FOR: Final = timedelta(hours=24)
_table: Final[Table] = KeptAnswerRow.metadata.tables[KeptAnswerRow.__tablename__]
_key: Final = tuple_(_table.c.client_id, _table.c.subject, _table.c.key)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Keyed:
    """A request with a key, of one caller: what others send under the same key is another matter."""

    tenant_id: UUID
    client_id: str
    subject: str
    key: str
    method: str
    path: str
    fingerprint: bytes

    @property
    def owner(self) -> Sequence[str]:
        return (self.client_id, self.subject, self.key)

    @property
    def place(self) -> bytes:
        """Unambiguous, and no other request's."""
        return json.dumps(["kept answer", self.tenant_id.hex, *self.owner, self.method, self.path]).encode()


async def claim(session: AsyncSession, sealer: Sealer, request: Keyed) -> Answer | None:
    """The answer that this request was given before; None: it is this transaction's to work on, and to `keep`.

    Raises KeyInUse, KeyReused and AnswerLost.
    """
    lock = json.dumps(["idempotency", request.tenant_id.hex, *request.owner]).encode()
    number = int.from_bytes(blake2b(lock, digest_size=8).digest(), signed=True)
    if not await session.scalar(select(func.pg_try_advisory_xact_lock(number))):
        raise KeyInUse
    # A statement of its own: it has to see what was committed before the lock was free.
    row = (await session.execute(select(_table).where(_key == request.owner))).one_or_none()
    if row is None:
        return None
    if row.created_at <= utc_now() - KEPT_FOR:
        await session.execute(delete(_table).where(_key == request.owner))
        return None
    if (row.method, row.path) != (request.method, request.path) or not same(row.fingerprint, request.fingerprint):
        raise KeyReused
    try:
        document = json.loads(sealer.open(row.answer, request.place))
    except UnsealError as error:
        raise AnswerLost from error
    return Answer(row.status, document["headers"], document["body"].encode())


async def keep(session: AsyncSession, sealer: Sealer, request: Keyed, answer: Answer) -> None:
    """Let whoever sends the request again have this answer, a JSON document or nothing."""
    document = json.dumps({"headers": dict(answer.headers), "body": answer.body.decode()}).encode()
    values: dict[str, Any] = {
        "client_id": request.client_id,
        "subject": request.subject,
        "key": request.key,
        "method": request.method,
        "path": request.path,
        "fingerprint": request.fingerprint,
        "status": answer.status,
        "answer": sealer.seal(document, request.place),
        "created_at": utc_now(),
    }
    await session.execute(insert(_table).values(values))


async def purge(session: AsyncSession, limit: int) -> int:
    """Delete answers that are past their time, at most `limit`; how many."""
    return await purge_rows(session, _table, _table.c.created_at <= utc_now() - KEPT_FOR, limit)
