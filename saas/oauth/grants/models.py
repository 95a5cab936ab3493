"""The tables of what clients are granted. Whatever a client presents is stored as its SHA-256 digest."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from tenants.base import Identified, TenantBase, Timestamped


class ConsentRow(Timestamped, TenantBase):
    """The scopes that a person has allowed a client: remembered, and asked again only for new ones."""

    __tablename__ = "oauth_consents"
    __table_args__ = (Index("oauth_consents_client_idx", "client"),)

    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", name="oauth_consents_user_fkey", ondelete="CASCADE"), primary_key=True
    )
    client: Mapped[UUID] = mapped_column(
        ForeignKey("oauth_clients.id", name="oauth_consents_client_fkey", ondelete="CASCADE"), primary_key=True
    )
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text()))


class AuthorizationCodeRow(Identified, TenantBase):
    """A code (RFC 6749 section 4.1.2). It stays until it expires, so that a second use is noticed."""

    __tablename__ = "oauth_codes"
    __table_args__ = (
        UniqueConstraint("digest", name="oauth_codes_digest_key"),
        Index("oauth_codes_expires_idx", "expires_at"),
    )

    digest: Mapped[bytes]
    #: Of what the code yields: the `gid` claim of its access tokens, the id of its refresh family.
    grant_id: Mapped[UUID]
    client: Mapped[UUID] = mapped_column(
        ForeignKey("oauth_clients.id", name="oauth_codes_client_fkey", ondelete="CASCADE")
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", name="oauth_codes_user_fkey", ondelete="CASCADE"))
    session_id: Mapped[UUID] = mapped_column(
        ForeignKey("sessions.id", name="oauth_codes_session_fkey", ondelete="CASCADE")
    )
    redirect_uri: Mapped[str]
    code_challenge: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    nonce: Mapped[str | None]
    #: RFC 8707: the audience that was asked for.
    resource: Mapped[str | None]
    authenticated_at: Mapped[datetime]
    amr: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    redeemed_at: Mapped[datetime | None]


class RefreshFamilyRow(Identified, Timestamped, TenantBase):
    """All refresh tokens that descend from one grant, in one row; its id is the grant's.

    A token is a handle, the same through all rotations, and a secret. The row keeps the present secret's digest and,
    for the grace, the one before with the sealed answer that replaced it. Any other secret is an old one, replayed.
    """

    __tablename__ = "oauth_refresh_families"
    __table_args__ = (
        UniqueConstraint("handle", name="oauth_refresh_families_handle_key"),
        Index("oauth_refresh_families_user_idx", "user_id"),
        Index("oauth_refresh_families_client_idx", "client"),
        Index("oauth_refresh_families_expires_idx", "expires_at"),
    )

    handle: Mapped[bytes]
    digest: Mapped[bytes]
    previous_digest: Mapped[bytes | None]
    answer: Mapped[bytes | None] = mapped_column(info={"sealed": True})
    rotated_at: Mapped[datetime | None]
    client: Mapped[UUID] = mapped_column(
        ForeignKey("oauth_clients.id", name="oauth_refresh_families_client_fkey", ondelete="CASCADE")
    )
    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", name="oauth_refresh_families_user_fkey", ondelete="CASCADE")
    )
    #: The browser session that it began in; it may be over, for offline access outlives it.
    session_id: Mapped[UUID | None]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    resource: Mapped[str | None]
    authenticated_at: Mapped[datetime]
    amr: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    last_used_at: Mapped[datetime]
    #: The absolute end; idleness is judged by `last_used_at`.
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class DeviceCodeRow(Identified, TenantBase):
    """A device's request for authorization (RFC 8628) and what became of it."""

    __tablename__ = "oauth_device_codes"
    __table_args__ = (
        UniqueConstraint("digest", name="oauth_device_codes_digest_key"),
        UniqueConstraint("user_code", name="oauth_device_codes_user_code_key"),
        Index("oauth_device_codes_expires_idx", "expires_at"),
        CheckConstraint("status IN ('pending', 'approved', 'denied', 'redeemed')", name="oauth_device_codes_status"),
    )

    digest: Mapped[bytes]
    #: What the person types, in its canonical form.
    user_code: Mapped[str]
    grant_id: Mapped[UUID]
    client: Mapped[UUID] = mapped_column(
        ForeignKey("oauth_clients.id", name="oauth_device_codes_client_fkey", ondelete="CASCADE")
    )
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    resource: Mapped[str | None]
    status: Mapped[str]
    #: Seconds that the device must wait between two polls; grows when it does not.
    interval: Mapped[int]
    last_polled_at: Mapped[datetime | None]
    user_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("users.id", name="oauth_device_codes_user_fkey", ondelete="CASCADE")
    )
    session_id: Mapped[UUID | None]
    authenticated_at: Mapped[datetime | None]
    amr: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class PushedRequestRow(Identified, TenantBase):
    """The parameters of an authorization request that a client pushed (RFC 9126), as JSON."""

    __tablename__ = "oauth_pushed_requests"
    __table_args__ = (
        UniqueConstraint("digest", name="oauth_pushed_requests_digest_key"),
        Index("oauth_pushed_requests_expires_idx", "expires_at"),
    )

    digest: Mapped[bytes]
    client: Mapped[UUID] = mapped_column(
        ForeignKey("oauth_clients.id", name="oauth_pushed_requests_client_fkey", ondelete="CASCADE")
    )
    parameters: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class RevocationRow(TenantBase):
    """The lasting record of a revoked access token (its `jti`) or grant (its `gid`); Valkey holds the fast copy."""

    __tablename__ = "oauth_revocations"
    __table_args__ = (Index("oauth_revocations_expires_idx", "expires_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime]


class AssertionRow(TenantBase):
    """A client assertion that was used (RFC 7523 section 3, `jti`): it is not accepted again."""

    __tablename__ = "oauth_assertions"
    __table_args__ = (Index("oauth_assertions_expires_idx", "expires_at"),)

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime]


class SessionClientRow(TenantBase):
    """A client that took part in a browser session, and wants to be told of its end. It goes with the session."""

    __tablename__ = "oauth_session_clients"
    __table_args__ = (Index("oauth_session_clients_client_idx", "client"),)

    session_id: Mapped[UUID] = mapped_column(
        ForeignKey("sessions.id", name="oauth_session_clients_session_fkey", ondelete="CASCADE"), primary_key=True
    )
    client: Mapped[UUID] = mapped_column(
        ForeignKey("oauth_clients.id", name="oauth_session_clients_client_fkey", ondelete="CASCADE"), primary_key=True
    )


class LogoutDeliveryRow(Identified, Timestamped, TenantBase):
    """A logout token that a client's back channel is still to receive (OpenID Connect Back-Channel Logout)."""

    __tablename__ = "oauth_logout_deliveries"
    __table_args__ = (Index("oauth_logout_deliveries_next_idx", "next_attempt_at"),)

    client: Mapped[UUID] = mapped_column(
        ForeignKey("oauth_clients.id", name="oauth_logout_deliveries_client_fkey", ondelete="CASCADE")
    )
    subject: Mapped[str]
    session_id: Mapped[UUID]
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime]
