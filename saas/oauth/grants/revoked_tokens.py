"""Revoked access tokens in PostgreSQL, as the engine sees them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Table, Text, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY

from saas.oauth.grants.models import RevocationRow
from saas.oauth.grants.revocations import REVOKE
from saas.oauth.grants.transaction import Transaction
from tenants.statements import Statement

_rows: Final[Table] = RevocationRow.metadata.tables[RevocationRow.__tablename__]
_revoke: Final = Statement(REVOKE)
_revoked: Final = Statement(
    select(_rows.c.id).where(_rows.c.id == any_(bindparam("ids", type_=ARRAY(Text())))).limit(1)
)


class RevokedTokens:
    """The `RevocationStore` of one transaction of a tenant."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def add(self, token_id: str, until: datetime) -> None:
        """Other processes hear of it once it is committed."""
        self._transaction.row(_revoke, revoked=token_id, until=until)
        self._transaction.tell_of_revocation(token_id, until)

    def any_of(self, token_ids: Sequence[str]) -> bool:
        return self._transaction.row(_revoked, ids=list(token_ids)) is not None
