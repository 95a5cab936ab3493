"""Who makes a request: what a verified access token says."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Caller:
    """`subject` is the user, or the client itself where no user is behind it (RFC 9068 section 2.2)."""

    tenant_id: UUID
    client_id: str
    subject: str
    scopes: frozenset[str]
    #: The token's `jti`.
    token_id: str
    #: The token's `exp`, in seconds since 1970.
    expires_at: int
    #: The token's `gid`: which of a person's authorizations it comes from. None where no person is behind it.
    grant_id: str | None = None
    #: The token's `iat`, in seconds since 1970.
    issued_at: int = 0

    @property
    def token_ids(self) -> tuple[str, ...]:
        """By which it may have been revoked."""
        return (self.token_id,) if self.grant_id is None else (self.token_id, self.grant_id)
