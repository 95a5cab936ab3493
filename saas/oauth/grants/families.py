"""Refresh token families in PostgreSQL: one row each, and one statement for each thing that happens to it."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Table, bindparam, insert, null, select, update

from saas.audit.actor import SYSTEM, Actor
from saas.audit.service import Target, record
from saas.authserver.authorization import Authorization
from saas.authserver.client import Client
from saas.authserver.store import Family, NewFamily
from saas.identity.models import UserRow
from saas.kit.crypto import digest
from saas.oauth.grants.models import RefreshFamilyRow
from saas.oauth.grants.people import PERSON, person_of
from saas.oauth.grants.revocations import REVOKE, REVOKED
from saas.oauth.grants.transaction import Transaction
from tenants.statements import Statement

_families: Final[Table] = RefreshFamilyRow.metadata.tables[RefreshFamilyRow.__tablename__]
_users: Final[Table] = UserRow.metadata.tables[UserRow.__tablename__]

#: To be made into a Statement, perhaps with more; takes what `family_values` gives.
INSERT_FAMILY: Final = insert(_families)
_insert: Final = Statement(INSERT_FAMILY)
_locked: Final = Statement(
    select(
        _families.c.id,
        _families.c.user_id,
        _families.c.scopes,
        _families.c.session_id,
        _families.c.authenticated_at,
        _families.c.amr,
        _families.c.resource,
        _families.c.client,
        _families.c.digest,
        _families.c.previous_digest,
        _families.c.answer,
        _families.c.rotated_at,
        _families.c.last_used_at,
        _families.c.expires_at,
        _families.c.revoked_at,
        _users.c.roles,
        _users.c.disabled_at,
        *PERSON,
    )
    .join(_users, _users.c.id == _families.c.user_id)
    .where(_families.c.handle == bindparam("handle"))
    .with_for_update(of=_families)
)
_rotate: Final = Statement(
    update(_families)
    .where(_families.c.id == bindparam("family"))
    .values(
        digest=bindparam("new_digest"),
        previous_digest=bindparam("old_digest"),
        answer=bindparam("sealed"),
        rotated_at=bindparam("now"),
        last_used_at=bindparam("now"),
        updated_at=bindparam("now"),
    )
)
_end: Final = (
    update(_families)
    .where(_families.c.id == bindparam("family"), _families.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("now"), updated_at=bindparam("now"), previous_digest=null(), answer=null())
)
_end_grant: Final = Statement(REVOKE.add_cte(_end.cte("ended")))


class Families:
    """The `FamilyStore` of one transaction of a tenant."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def add(self, new: NewFamily) -> None:
        self._transaction.row(_insert, **family_values(new))

    def locked(self, handle: str, client: Client) -> Family | None:
        row = self._transaction.row(_locked, handle=digest(handle))
        if row is None:
            return None
        (family_id, user_id, scopes, session_id, authenticated_at, amr, resource, owner) = row[:8]
        (present, previous, answer, rotated_at, last_used_at, expires_at, revoked_at, roles, disabled_at) = row[8:17]
        return Family(
            authorization=Authorization(
                family_id,
                client,
                user_id,
                tuple(scopes),
                session_id,
                authenticated_at,
                tuple(amr),
                None,
                resource,
                person_of(row[17:]),
            ),
            digest=present,
            previous_digest=previous,
            rotated_at=rotated_at,
            last_used_at=last_used_at,
            expires_at=expires_at,
            revoked=revoked_at is not None,
            foreign=owner != client.id,
            holder=self._transaction.holder(user_id, roles, disabled_at),
            sealed_answer=answer,
        )

    def rotate(self, family: Family, secret: str, answer: Mapping[str, Any], now: datetime) -> None:
        grant_id = family.authorization.grant_id
        plain = json.dumps(answer, separators=(",", ":")).encode()
        self._transaction.row(
            _rotate,
            family=grant_id,
            new_digest=digest(secret),
            old_digest=family.digest,
            sealed=self._transaction.sealer.seal(plain, self._context(grant_id)),
            now=now,
        )

    def last_answer(self, family: Family) -> dict[str, Any] | None:
        """Raises UnsealError where the row was tampered with."""
        if family.sealed_answer is None:
            return None
        plain = self._transaction.sealer.open(family.sealed_answer, self._context(family.authorization.grant_id))
        answer: dict[str, Any] = json.loads(plain)
        return answer

    def end(self, authorization: Authorization, now: datetime, *, reused: bool = False) -> None:
        until = now + timedelta(seconds=self._transaction.access_ttl)
        revoked, client = str(authorization.grant_id), authorization.client
        # A code may be sent ever again: only the first time something comes to an end.
        if not reused or self._transaction.row(REVOKED, ids=[revoked]) is None:
            record(
                self._transaction.direct,
                "token.reuse_detected" if reused else "token.revoked",
                target=Target("client", client.client_id, client.name),
                details={"user": authorization.user_id, "scopes": authorization.scopes},
                actor=SYSTEM if reused else Actor("client", client.client_id, client.name),
            )
        self._transaction.row(_end_grant, family=authorization.grant_id, now=now, revoked=revoked, until=until)
        self._transaction.tell_of_revocation(revoked, until)

    def _context(self, family: UUID) -> bytes:
        """Where a sealed answer belongs: it opens for no other family, and at no other tenant."""
        return b"refresh answer\0" + self._transaction.tenant_id.bytes + family.bytes


def family_values(new: NewFamily) -> dict[str, Any]:
    """Parameters of INSERT_FAMILY."""
    authorization = new.authorization
    return {
        "id": authorization.grant_id,
        "handle": digest(new.token.handle),
        "digest": digest(new.token.secret),
        "previous_digest": None,
        "answer": None,
        "rotated_at": None,
        "client": authorization.client.id,
        "user_id": authorization.user_id,
        "session_id": authorization.session_id,
        "scopes": list(authorization.scopes),
        "resource": authorization.resource,
        "authenticated_at": authorization.authenticated_at,
        "amr": list(authorization.amr),
        "last_used_at": new.created_at,
        "expires_at": new.expires_at,
        "revoked_at": None,
        "created_at": new.created_at,
        "updated_at": new.created_at,
    }
