"""Answers that are kept for requests that are sent again."""

from datetime import datetime

from sqlalchemy import Index, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenants.base import TenantBase


class KeptAnswerRow(TenantBase):
    __tablename__ = "kept_answers"
    __table_args__ = (
        PrimaryKeyConstraint("client_id", "subject", "key", name="kept_answers_pkey"),
        Index("kept_answers_created_idx", "created_at"),
    )

    client_id: Mapped[str]
    subject: Mapped[str]
    key: Mapped[str]
    method: Mapped[str]
    path: Mapped[str]
    #: SHA-256 of the query and the body.
    fingerprint: Mapped[bytes]
    status: Mapped[int]
    #: Headers and body, sealed: there may be a new secret in them.
    answer: Mapped[bytes] = mapped_column(info={"sealed": True})
    created_at: Mapped[datetime]
