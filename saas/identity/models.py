"""The people of a tenant, their browser sessions, the roles they may have, and the links sent to them by mail."""

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
