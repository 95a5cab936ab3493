"""The engine's storage ports, filled."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from sqlalchemy.util import greenlet_spawn

from saas.access.scopes import ScopeCatalogue
from saas.authserver.client import Client
from saas.authserver.store import Storage
from saas.kit.crypto import Sealer
from saas.oauth.grants.codes import Codes
from saas.oauth.grants.devices import Devices
from saas.oauth.grants.families import Families
from saas.oauth.grants.revocations import Revocations
from saas.oauth.grants.revoked_tokens import RevokedTokens
from saas.oauth.grants.transaction import Transaction
from tenants.database import Database
from tenants.registry import Tenant

T = TypeVar("T")


class ResolvedClient(NamedTuple):
    """A `ClientStore` of the one client that a request names, looked up before the engine is entered.

    The look-up may wait for the database, which the engine, being synchronous, cannot.
    """

    found: Client | None

    def client(self, client_id: str) -> Client | None:
        return self.found if self.found is not None and self.found.client_id == client_id else None


@dataclass(frozen=True, slots=True)
class GrantStorage:
    """Where the grants of every tenant are kept. `access_ttl`: seconds that an access token lives."""

    database: Database
    catalogue: ScopeCatalogue
    sealer: Sealer
    revocations: Revocations
    access_ttl: int

    async def run(self, tenant: Tenant, work: Callable[[Storage], T]) -> T:
        """`work` in one transaction of the tenant, which commits unless it raises. Nothing connects before it asks."""
        async with self.database.direct(tenant) as direct:
            transaction = Transaction(direct, tenant.id, self.catalogue, self.sealer, self.revocations, self.access_ttl)
            return await greenlet_spawn(work, storage_of(transaction))


def storage_of(transaction: Transaction) -> Storage:
    return Storage(
        codes=Codes(transaction),
        families=Families(transaction),
        devices=Devices(transaction),
        revocations=RevokedTokens(transaction),
    )
