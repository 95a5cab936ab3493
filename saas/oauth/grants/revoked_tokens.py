"""Revoked access tokens in PostgreSQL, as the engine sees them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from saas.audit.actor import Actor
from saas.audit.service import Target, record
from saas.oauth.grants.revocations import REVOKE, REVOKED
from saas.oauth.grants.transaction import Transaction
from tenants.statements import Statement

_revoke: Final = Statement(REVOKE)


class RevokedTokens:
    """The `RevocationStore` of one transaction of a tenant."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def add(self, token_id: str, until: datetime, client_id: str) -> None:
        """Other processes hear of it once it is committed."""
        if not self.any_of([token_id]):
            record(
                self._transaction.direct,
                "token.revoked",
                target=Target("client", client_id),
                details={"token": token_id},
                actor=Actor("client", client_id),
            )
        self._transaction.row(_revoke, revoked=token_id, until=until)
        self._transaction.tell_of_revocation(token_id, until)

    def any_of(self, token_ids: Sequence[str]) -> bool:
        return self._transaction.row(REVOKED, ids=list(token_ids)) is not None
