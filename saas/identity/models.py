"""The people of a tenant."""

from datetime import datetime

from sqlalchemy import Text, UniqueConstraint
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
    #: argon2id; None until an invitation is accepted.
    password_hash: Mapped[str | None]
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    disabled_at: Mapped[datetime | None]
