"""The people of a tenant, how they prove who they are, their browser sessions, roles, and links mailed to them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from tenants.base import Identified, TenantBase, Timestamped


class UserRow(Identified, Timestamped, TenantBase):
    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("email_key", name="users_email_key"),)

    #: As the person wrote it, for showing and for sending mail.
    email: Mapped[str]
    #: Case-folded: what makes an account unique and what a sign-in looks up.
    email_key: Mapped[str]
    name: Mapped[str]
    #: When they first used a link that was mailed to this address.
    email_verified_at: Mapped[datetime | None]
    #: argon2id; None until an invitation is accepted.
    password_hash: Mapped[str | None]
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    disabled_at: Mapped[datetime | None]


class SessionRow(Identified, Timestamped, TenantBase):
    """A browser's session: what its cookie stands for. Rotated at sign-in; ends by idleness, by age, or by hand."""

    __tablename__ = "sessions"
    __table_args__ = (
        UniqueConstraint("digest", name="sessions_digest_key"),
        Index("sessions_user_idx", "user_id"),
        Index("sessions_expires_idx", "expires_at"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", name="sessions_user_fkey", ondelete="CASCADE"))
    #: SHA-256 of the cookie's value.
    digest: Mapped[bytes]
    #: When and how the person proved who they are (OpenID Connect `auth_time`, `amr`).
    authenticated_at: Mapped[datetime]
    amr: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    #: When they last gave a password or a passkey again, for something sensitive; None: not since they signed in.
    confirmed_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime]
    #: The absolute end; idleness is judged by `last_seen_at`.
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    address: Mapped[str]
    user_agent: Mapped[str]


class RoleRow(Timestamped, TenantBase):
    """A role of the tenant's own; `owner`, `admin` and `member` are built in and have no row."""

    __tablename__ = "roles"

    name: Mapped[str] = mapped_column(primary_key=True)
    description: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text()))


class MailedLinkRow(Identified, Timestamped, TenantBase):
    """A link sent by mail: to reset a password, or to accept an invitation. Used once, before it expires."""

    __tablename__ = "mailed_links"
    __table_args__ = (
        UniqueConstraint("digest", name="mailed_links_digest_key"),
        Index("mailed_links_user_idx", "user_id"),
        Index("mailed_links_expires_idx", "expires_at"),
        CheckConstraint("purpose IN ('reset', 'invitation')", name="mailed_links_purpose"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", name="mailed_links_user_fkey", ondelete="CASCADE"))
    purpose: Mapped[str]
    digest: Mapped[bytes]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class TotpFactorRow(Timestamped, TenantBase):
    """A person's authenticator app (RFC 6238)."""

    __tablename__ = "totp_factors"

    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", name="totp_factors_user_fkey", ondelete="CASCADE"), primary_key=True
    )
    #: Sealed for this tenant and user.
    secret: Mapped[bytes] = mapped_column(info={"sealed": True})
    #: Of the newest code that was accepted: no code is accepted twice, and none that is older.
    last_step: Mapped[int]


class RecoveryCodeRow(TenantBase):
    """What lets a person in, once, who has lost everything else."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", name="recovery_codes_user_fkey", ondelete="CASCADE"), primary_key=True
    )
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    used_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class PasskeyRow(Identified, Timestamped, TenantBase):
    """A WebAuthn credential."""

    __tablename__ = "passkeys"
    __table_args__ = (
        UniqueConstraint("credential_id", name="passkeys_credential_key"),
        Index("passkeys_user_idx", "user_id"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", name="passkeys_user_fkey", ondelete="CASCADE"))
    name: Mapped[str]
    #: The RP ID: browsers offer it at this host alone.
    host: Mapped[str]
    credential_id: Mapped[bytes]
    #: In COSE form.
    public_key: Mapped[bytes]
    sign_count: Mapped[int]
    #: Whether it may be on several devices of its owner: then it is software, whatever made it.
    synced: Mapped[bool]
    transports: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    last_used_at: Mapped[datetime | None]


class SpentChallengeRow(TenantBase):
    """A WebAuthn challenge that has been answered, until it would have expired."""

    __tablename__ = "spent_challenges"
    __table_args__ = (Index("spent_challenges_expires_idx", "expires_at"),)

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime]


class PolicyRow(Timestamped, TenantBase):
    """What the tenant asks of everybody who signs in: one row, or none where nobody has changed anything."""

    __tablename__ = "policies"
    __table_args__ = (
        CheckConstraint("name = 'sign-in'", name="policies_name"),
        CheckConstraint("second_factor IN ('none', 'admins', 'everyone')", name="policies_second_factor"),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    second_factor: Mapped[str]
    #: In seconds; None: as long as the operator allows.
    session_idle: Mapped[int | None]
    session_lifetime: Mapped[int | None]
    password_min: Mapped[int]
    allowed_email_domains: Mapped[list[str]] = mapped_column(ARRAY(Text()))
