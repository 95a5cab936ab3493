"""Authorization codes in PostgreSQL: one statement to issue, one to lock, one to redeem."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Table, bindparam, insert, select, update

from saas.authserver.authorization import Authorization
from saas.authserver.client import Client
from saas.authserver.store import NewFamily, StoredCode
from saas.identity.models import SessionRow, UserRow
from saas.kit.crypto import digest
from saas.oauth.grants.families import INSERT_FAMILY, family_values
from saas.oauth.grants.models import AuthorizationCodeRow
from saas.oauth.grants.people import PERSON, person_of
from saas.oauth.grants.transaction import Transaction
from tenants.base import new_id
from tenants.direct import Direct
from tenants.statements import Statement

_codes: Final[Table] = AuthorizationCodeRow.metadata.tables[AuthorizationCodeRow.__tablename__]
_users: Final[Table] = UserRow.metadata.tables[UserRow.__tablename__]
_sessions: Final[Table] = SessionRow.metadata.tables[SessionRow.__tablename__]

_insert: Final = Statement(insert(_codes))
_locked: Final = Statement(
    select(
        _codes.c.id,
        _codes.c.grant_id,
        _codes.c.user_id,
        _codes.c.scopes,
        _codes.c.session_id,
        _codes.c.authenticated_at,
        _codes.c.amr,
        _codes.c.nonce,
        _codes.c.resource,
        _codes.c.redirect_uri,
        _codes.c.code_challenge,
        _codes.c.expires_at,
        _codes.c.redeemed_at,
        _sessions.c.ended_at,
        _sessions.c.expires_at,
        _users.c.roles,
        _users.c.disabled_at,
        *PERSON,
    )
    .join(_sessions, _sessions.c.id == _codes.c.session_id)
    .join(_users, _users.c.id == _codes.c.user_id)
    .where(_codes.c.digest == bindparam("digest"), _codes.c.client == bindparam("client"))
    .with_for_update(of=_codes)
)
_redeem: Final = update(_codes).where(_codes.c.id == bindparam("code_id")).values(redeemed_at=bindparam("now"))
_redeem_only: Final = Statement(_redeem)
_redeem_into_family: Final = Statement(INSERT_FAMILY.add_cte(_redeem.cte("redeemed")))


@dataclass(frozen=True, slots=True)
class NewCode:
    """A code (RFC 6749 section 4.1.2) and what it is bound to. Its authorization has a session."""

    code: str = field(repr=False)
    authorization: Authorization
    redirect_uri: str
    #: RFC 7636, by the method S256.
    challenge: str
    created_at: datetime
    expires_at: datetime


async def issue(direct: Direct, new: NewCode) -> None:
    await direct.row(_insert, **_values(new))


class Codes:
    """The `CodeStore` of one transaction of a tenant."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def locked(self, code: str, client: Client, now: datetime) -> StoredCode | None:
        row = self._transaction.row(_locked, digest=digest(code), client=client.id)
        if row is None:
            return None
        (code_id, grant_id, user_id, scopes, session_id, authenticated_at, amr, nonce, resource) = row[:9]
        (redirect_uri, challenge, expires_at, redeemed_at, ended_at, session_end, roles, disabled_at) = row[9:17]
        return StoredCode(
            id=code_id,
            authorization=Authorization(
                grant_id,
                client,
                user_id,
                tuple(scopes),
                session_id,
                authenticated_at,
                tuple(amr),
                nonce,
                resource,
                person_of(row[17:]),
            ),
            redirect_uri=redirect_uri,
            challenge=challenge,
            expires_at=expires_at,
            redeemed=redeemed_at is not None,
            session_active=ended_at is None and session_end > now,
            holder=self._transaction.holder(user_id, roles, disabled_at),
        )

    def redeem(self, code: StoredCode, family: NewFamily | None, now: datetime) -> None:
        if family is None:
            self._transaction.row(_redeem_only, code_id=code.id, now=now)
        else:
            self._transaction.row(_redeem_into_family, code_id=code.id, now=now, **family_values(family))


def _values(new: NewCode) -> dict[str, Any]:
    """Of the row. Raises ValueError for an authorization without a session."""
    authorization = new.authorization
    if authorization.session_id is None:
        raise ValueError("A code belongs to a browser session")
    return {
        "id": new_id(),
        "digest": digest(new.code),
        "grant_id": authorization.grant_id,
        "client": authorization.client.id,
        "user_id": authorization.user_id,
        "session_id": authorization.session_id,
        "redirect_uri": new.redirect_uri,
        "code_challenge": new.challenge,
        "scopes": list(authorization.scopes),
        "nonce": authorization.nonce,
        "resource": authorization.resource,
        "authenticated_at": authorization.authenticated_at,
        "amr": list(authorization.amr),
        "created_at": new.created_at,
        "expires_at": new.expires_at,
        "redeemed_at": None,
    }
