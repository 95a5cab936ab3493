"""One transaction of a tenant, as the stores of grants see it: synchronous, since the engine is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, Executable
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.util import await_only

from saas.access.scopes import ScopeCatalogue
from saas.authserver.authorization import Holder
from saas.identity.roles import scopes_of
from saas.kit.crypto import Sealer
from saas.oauth.grants.revocations import Revocations


@dataclass(frozen=True, slots=True)
class Transaction:
    """Only to be used inside `session.run_sync`."""

    session: AsyncSession
    tenant_id: UUID
    catalogue: ScopeCatalogue
    sealer: Sealer
    revocations: Revocations
    #: Seconds that an access token lives.
    access_ttl: int

    def execute(self, statement: Executable, parameters: Mapping[str, Any]) -> CursorResult[Any]:
        result: CursorResult[Any] = self.session.sync_session.connection().execute(statement, parameters)
        return result

    def holder(self, user_id: UUID, roles: Sequence[str], disabled_at: datetime | None) -> Holder:
        """A SELECT more where a role is the tenant's own."""
        return Holder(user_id, disabled_at is None, await_only(scopes_of(self.session, roles, self.catalogue)))

    def tell_of_revocation(self, revoked: str, until: datetime) -> None:
        self.revocations.tell_after_commit(self.session, self.tenant_id, revoked, until)
