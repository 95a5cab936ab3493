"""The sample feature's one table."""

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped

from tenants.base import Identified, TenantBase, Timestamped


class ProjectRow(Identified, Timestamped, TenantBase):
    __tablename__ = "projects"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'archived')", name="projects_status"),
        Index("projects_created_idx", "created_at", "id"),
        Index("projects_name_idx", "name", "id"),
    )

    name: Mapped[str]
    description: Mapped[str]
    status: Mapped[str]
    #: The subject (RFC 9068 `sub`) that made it: a user or a client.
    created_by: Mapped[str]
