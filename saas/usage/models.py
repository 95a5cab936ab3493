"""A tenant's use, and which batches of it were entered."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from tenants.base import TenantBase


class UsageRow(TenantBase):
    """What one client did in one hour (UTC)."""

    __tablename__ = "usage_hours"

    #: When it began.
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(primary_key=True)
    #: That were let through.
    requests: Mapped[int]
    refusals: Mapped[int]
    #: Of `requests`, those that only the plan's shadow let through.
    would_refuse: Mapped[int]
    #: What was charged to the quotas.
    cost: Mapped[int]


class BatchRow(TenantBase):
    """A batch of counters that was entered: it is not entered again. See `saas.usage.collect`."""

    __tablename__ = "usage_batches"
    __table_args__ = (Index("usage_batches_taken_idx", "taken_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    taken_at: Mapped[datetime]
