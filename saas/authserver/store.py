"""The storage port: what the engine asks of those who keep things. A protocol for each kind of thing."""

from typing import Protocol

from saas.authserver.client import Client


class ClientStore(Protocol):
    """The clients of one tenant."""

    def client(self, client_id: str) -> Client | None:
        """The client; None where there is none, or it was revoked."""
