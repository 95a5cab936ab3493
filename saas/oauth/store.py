"""The engine's storage port, filled."""

from dataclasses import dataclass

from saas.authserver.client import Client


@dataclass(frozen=True, slots=True)
class ResolvedClient:
    """A `ClientStore` of the one client that a request names, looked up before the engine is entered.

    The look-up may wait for the database, which the engine, being synchronous, cannot.
    """

    found: Client | None

    def client(self, client_id: str) -> Client | None:
        return self.found if self.found is not None and self.found.client_id == client_id else None
