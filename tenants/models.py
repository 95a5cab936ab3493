"""The registry's tables, in the schema `platform`."""

from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenants.base import Identified, PlatformBase, Timestamped

#: provisioning -> active <-> suspended -> deleting -> (no row)
TENANT_STATUSES: Final = ("provisioning", "active", "suspended", "deleting")


class PlanRow(Timestamped, PlatformBase):
    """What a tenant may use. Rates are requests; a limit is a positive number."""

    __tablename__ = "plans"
    __table_args__ = (
        CheckConstraint("requests_per_minute > 0 AND burst > 0 AND requests_per_day > 0", name="plans_positive"),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    requests_per_minute: Mapped[int]
    burst: Mapped[int]
    requests_per_day: Mapped[int]


class TenantRow(Identified, Timestamped, PlatformBase):
    __tablename__ = "tenants"
    __table_args__ = (
        UniqueConstraint("slug", name="tenants_slug_key"),
        UniqueConstraint("host", name="tenants_host_key"),
        UniqueConstraint("schema", name="tenants_schema_key"),
        CheckConstraint("status IN ('provisioning', 'active', 'suspended', 'deleting')", name="tenants_status"),
        Index("tenants_revision_idx", "revision"),
    )

    slug: Mapped[str]
    name: Mapped[str]
    host: Mapped[str]
    schema: Mapped[str]
    #: The name of the database that holds the schema; "default": the one that holds this row.
    database: Mapped[str] = mapped_column(default="default")
    plan: Mapped[str] = mapped_column(ForeignKey("platform.plans.name", name="tenants_plan_fkey"))
    status: Mapped[str] = mapped_column(default="provisioning")
    suspended_reason: Mapped[str | None]
    #: The Alembic revision of the tenant's schema; moves in the same transaction as the schema itself.
    revision: Mapped[str | None]
    #: #rrggbb; None: the platform's own.
    accent: Mapped[str | None]
    #: The name under which the logo is served, which changes with its content.
    logo: Mapped[str | None]


class LogoRow(Timestamped, PlatformBase):
    """A tenant's logo: a row of its own, since tenants are read all the time and logos are not."""

    __tablename__ = "logos"

    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("platform.tenants.id", name="logos_tenant_fkey", ondelete="CASCADE"), primary_key=True
    )
    media_type: Mapped[str]
    content: Mapped[bytes]


class DomainRow(Timestamped, PlatformBase):
    """A custom domain: one more host at which a tenant is reached. Its issuer stays at the primary host."""

    __tablename__ = "domains"
    __table_args__ = (Index("domains_tenant_idx", "tenant_id"),)

    host: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("platform.tenants.id", name="domains_tenant_fkey", ondelete="CASCADE")
    )


class PooledSchemaRow(Identified, Timestamped, PlatformBase):
    """A schema that is ready before a tenant wants it; its id becomes the tenant's. See `tenants.warm`."""

    __tablename__ = "schema_pool"
    __table_args__ = (UniqueConstraint("schema", name="schema_pool_schema_key"),)

    schema: Mapped[str]
    database: Mapped[str]
    #: The revision of the whole schema; None: it is being made or dropped, and nobody may take it.
    revision: Mapped[str | None]


class EpochRow(PlatformBase):
    """One row, counted up by every change that a cache must learn of; see `tenants.changes`."""

    __tablename__ = "epoch"
    __table_args__ = (CheckConstraint("id = 1", name="epoch_single"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[int]
