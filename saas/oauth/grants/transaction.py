"""One transaction of a tenant, as the stores of grants see it: synchronous, since the engine is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy.util import await_only

from saas.access.scopes import ScopeCatalogue
from saas.authserver.authorization import Holder
from saas.identity.roles import OWN_SCOPES, own_roles, scopes_given
from saas.kit.crypto import Sealer
from saas.oauth.grants.revocations import Revocations
from tenants.direct import Direct, Record
from tenants.statements import Statement


@dataclass(frozen=True, slots=True)
class Transaction:
    """Only to be used inside of `greenlet_spawn`, where what is awaited below looks synchronous from above."""

    direct: Direct
    tenant_id: UUID
    catalogue: ScopeCatalogue
    sealer: Sealer
    revocations: Revocations
    #: Seconds that an access token lives.
    access_ttl: int

    def row(self, statement: Statement, **values: Any) -> Record | None:
        row: Record | None = await_only(self.direct.row(statement, **values))
        return row

    def holder(self, user_id: UUID, roles: Sequence[str], disabled_at: datetime | None) -> Holder:
        """One SELECT more where a role is the tenant's own."""
        builtin = given_by_builtin(tuple(roles), self.catalogue)
        scopes = await_only(scopes_of(self.direct, roles, self.catalogue)) if builtin is None else builtin
        return Holder(user_id, disabled_at is None, scopes)

    def tell_of_revocation(self, revoked: str, until: datetime) -> None:
        self.revocations.tell_after_commit(self.direct, self.tenant_id, revoked, until)


async def scopes_of(direct: Direct, roles: Sequence[str], catalogue: ScopeCatalogue) -> frozenset[str]:
    """What these roles give together; see `saas.identity.roles.scopes_of`."""
    builtin = given_by_builtin(tuple(roles), catalogue)
    if builtin is not None:
        return builtin
    rows = await direct.rows(OWN_SCOPES, names=own_roles(roles))
    return scopes_given(roles, [row["scopes"] for row in rows], catalogue)


@lru_cache(maxsize=256)
def given_by_builtin(roles: tuple[str, ...], catalogue: ScopeCatalogue) -> frozenset[str] | None:
    """What built-in roles give, which never changes; None where there are others among them."""
    return None if own_roles(roles) else scopes_given(roles, (), catalogue)
