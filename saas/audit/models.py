"""A tenant's audit log: its events, and the end of their chain."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenants.base import TenantBase


class EventRow(TenantBase):
    """Written once, by `saas.audit.chain`; deleted only from the oldest on."""

    __tablename__ = "audit_events"
    __table_args__ = (
        UniqueConstraint("position", name="audit_events_position_key"),
        CheckConstraint(
            "actor_kind IN ('user', 'client', 'operator', 'system', 'anonymous')", name="audit_events_actor_kind"
        ),
        Index("audit_events_occurred_idx", "occurred_at"),
        Index("audit_events_action_idx", "action", "position"),
        Index("audit_events_actor_idx", "actor_id", "position"),
        Index("audit_events_target_idx", "target_id", "position"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    #: 1, 2, 3...: in the order in which transactions committed, without gaps.
    position: Mapped[int]
    occurred_at: Mapped[datetime]
    action: Mapped[str]
    actor_kind: Mapped[str]
    actor_id: Mapped[str | None]
    actor_name: Mapped[str | None]
    #: The OAuth client through which a person acted.
    client_id: Mapped[str | None]
    target_kind: Mapped[str | None]
    target_id: Mapped[str | None]
    target_name: Mapped[str | None]
    address: Mapped[str | None]
    request_id: Mapped[str | None]
    #: A JSON object, as it was hashed.
    details: Mapped[str]
    #: See `saas.audit.chain`.
    hash: Mapped[bytes]


class HeadRow(TenantBase):
    """One row: the last event, and the last one that was pruned. Whoever appends has locked it."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("id = 1", name="audit_head_single"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int]
    hash: Mapped[bytes]
    pruned_position: Mapped[int]
    pruned_hash: Mapped[bytes]
