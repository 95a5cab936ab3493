"""The storage ports: what the engine asks of those who keep things. A protocol for each kind of thing.

All belong to one tenant and one transaction, which commits whatever the engine answers: a refusal may be the reason for
a change. What is locked stays so until then. Secrets are stored as digests, answers sealed; that is the store's care.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from saas.authserver.authorization import Authorization, Holder
from saas.authserver.client import Client
from saas.authserver.refresh import RefreshToken


class ClientStore(Protocol):
    """The clients of one tenant."""

    def client(self, client_id: str) -> Client | None:
        """None where there is none, or it was revoked."""


@dataclass(frozen=True, slots=True)
class StoredCode:
    """A code as it was issued, and how things stand now."""

    id: UUID
    authorization: Authorization
    redirect_uri: str
    challenge: str
    expires_at: datetime
    redeemed: bool
    #: The browser session that it was issued in still lasts.
    session_active: bool
    holder: Holder

    def get_redirect_uri(self) -> str:
        """As Authlib calls it."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """As Authlib calls it."""
        return " ".join(self.authorization.scopes)


@dataclass(frozen=True, slots=True)
class NewFamily:
    """The first refresh token of an authorization. `expires_at` is the absolute end of all that descend from it."""

    token: RefreshToken
    authorization: Authorization
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Family:
    """The refresh tokens of one authorization, and how things stand now."""

    #: With all scopes that it began with. Its client is the one that asks.
    authorization: Authorization
    #: SHA-256 of the secret that is good now, and of the one before.
    digest: bytes = field(repr=False)
    previous_digest: bytes | None = field(repr=False)
    rotated_at: datetime | None
    last_used_at: datetime
    expires_at: datetime
    revoked: bool
    #: It belongs to another client than the one that asks.
    foreign: bool
    holder: Holder
    #: What the last rotation answered, sealed: for `FamilyStore.last_answer`.
    sealed_answer: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredDevice:
    """A device code (RFC 8628), what became of it, and how things stand now."""

    id: UUID
    #: pending, approved, denied or redeemed.
    status: str
    #: Seconds that the device must wait between two polls.
    interval: int
    last_polled_at: datetime | None
    expires_at: datetime
    #: Once it is approved: what was allowed, and by whom.
    allowed: Authorization | None
    #: The browser session in which it was decided still lasts.
    session_active: bool
    holder: Holder | None

    def get_scope(self) -> str:
        """As Authlib calls it."""
        return " ".join(self.allowed.scopes) if self.allowed else ""


class CodeStore(Protocol):
    """Authorization codes. They stay until they expire, so that a second use is noticed."""

    def locked(self, code: str, client: Client, now: datetime) -> StoredCode | None:
        """None where there is none, or not of this client."""

    def redeem(self, code: StoredCode, family: NewFamily | None, now: datetime) -> None:
        """Mark the code as used, and begin the family that it yields, if it does."""


class DeviceStore(Protocol):
    """Device codes. They stay until they expire."""

    def locked(self, code: str, client: Client, now: datetime) -> StoredDevice | None:
        """None where there is none, or not of this client."""

    def polled(self, device: StoredDevice, interval: int, now: datetime) -> None:
        """Remember a poll that came to nothing, and how many seconds the device must wait for the next."""

    def redeem(self, device: StoredDevice, family: NewFamily | None) -> None:
        """Mark the code as used, and begin the family that it yields, if it does."""


class FamilyStore(Protocol):
    """Refresh token families."""

    def add(self, new: NewFamily) -> None: ...

    def locked(self, handle: str, client: Client) -> Family | None:
        """The family, whoever asks."""

    def rotate(self, family: Family, secret: str, answer: Mapping[str, Any], now: datetime) -> None:
        """Replace the present secret. For a time the replaced one yields `answer` again, word for word."""

    def last_answer(self, family: Family) -> dict[str, Any] | None:
        """What the last rotation answered."""

    def end(self, authorization: Authorization, now: datetime, *, reused: bool = False) -> None:
        """Revoke all that an authorization has yielded: its refresh tokens, and its access tokens by their `gid`.

        Does not fail where there is no family, or an ended one. `reused`: since something of it came a second time.
        """


class RevocationStore(Protocol):
    """Access tokens that are refused before they expire: by their `jti`, or all of a grant by its `gid`."""

    def add(self, token_id: str, until: datetime, client_id: str) -> None:
        """`until` is when the token expires by itself; `client_id` whose it is."""

    def any_of(self, token_ids: Sequence[str]) -> bool:
        """Whether one of them is revoked."""


@dataclass(frozen=True, slots=True)
class Storage:
    """What one transaction offers to the grants that need it."""

    codes: CodeStore
    families: FamilyStore
    devices: DeviceStore
    revocations: RevocationStore
