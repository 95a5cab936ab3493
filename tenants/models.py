"""The registry's tables, in the schema `platform`."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from tenants.base import Identified, PlatformBase, Timestamped

#: provisioning -> active <-> suspended -> deleted (and back, while it is kept) -> deleting -> (no row). While it is
#: `moving` to another database, its requests wait.
TENANT_STATUSES: Final = ("provisioning", "active", "suspended", "moving", "deleted", "deleting")


class PlanRow(Timestamped, PlatformBase):
    """A plan's name. The rates repeat those of its newest version, for the release that knew no versions."""

    __tablename__ = "plans"
    __table_args__ = (
        CheckConstraint("requests_per_minute > 0 AND burst > 0 AND requests_per_day > 0", name="plans_positive"),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    requests_per_minute: Mapped[int]
    burst: Mapped[int]
    requests_per_day: Mapped[int]


class PlanVersionRow(Timestamped, PlatformBase):
    """A plan as it is, or was, in one of its versions: the fields of `tenants.plans.Plan`. Never changed."""

    __tablename__ = "plan_versions"
    __table_args__ = (
        CheckConstraint(
            "requests_per_minute > 0 AND burst > 0 AND requests_per_day > 0", name="plan_versions_positive"
        ),
    )

    name: Mapped[str] = mapped_column(
        ForeignKey("platform.plans.name", name="plan_versions_name_fkey", ondelete="CASCADE"), primary_key=True
    )
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    requests_per_minute: Mapped[int]
    burst: Mapped[int]
    requests_per_day: Mapped[int]
    requests_per_month: Mapped[int | None]
    concurrent: Mapped[int | None]
    users: Mapped[int | None]
    clients: Mapped[int | None]
    projects: Mapped[int | None]
    domains: Mapped[int | None]
    token_lifetime: Mapped[int | None]
    client_share: Mapped[int | None]
    user_share: Mapped[int | None]
    audit_days: Mapped[int]
    features: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    shadow: Mapped[bool]


class TenantRow(Identified, Timestamped, PlatformBase):
    __tablename__ = "tenants"
    __table_args__ = (
        UniqueConstraint("slug", name="tenants_slug_key"),
        UniqueConstraint("host", name="tenants_host_key"),
        UniqueConstraint("schema", name="tenants_schema_key"),
        CheckConstraint(
            "status IN ('provisioning', 'active', 'suspended', 'moving', 'deleted', 'deleting')", name="tenants_status"
        ),
        Index("tenants_revision_idx", "revision"),
        ForeignKeyConstraint(
            ["plan", "plan_version"],
            ["platform.plan_versions.name", "platform.plan_versions.version"],
            name="tenants_plan_version_fkey",
        ),
    )

    slug: Mapped[str]
    name: Mapped[str]
    host: Mapped[str]
    schema: Mapped[str]
    #: The name of the database that holds the schema; "default": the one that holds this row.
    database: Mapped[str] = mapped_column(default="default")
    plan: Mapped[str] = mapped_column(ForeignKey("platform.plans.name", name="tenants_plan_fkey"))
    #: None: the newest.
    plan_version: Mapped[int | None]
    #: What it has beyond the plan: see `tenants.overrides`.
    overrides: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    status: Mapped[str] = mapped_column(default="provisioning")
    #: Stays while the tenant is deleted, so that it comes back as it was.
    suspended_reason: Mapped[str | None]
    deleted_at: Mapped[datetime | None]
    #: When what was deleted is taken away for good.
    purge_at: Mapped[datetime | None]
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
    """A custom domain that was proved: one more host at which a tenant is reached. Its issuer is not there."""

    __tablename__ = "domains"
    __table_args__ = (Index("domains_tenant_idx", "tenant_id"),)

    host: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("platform.tenants.id", name="domains_tenant_fkey", ondelete="CASCADE")
    )


class DomainClaimRow(Timestamped, PlatformBase):
    """A domain that a tenant says is its own. Any number may say so of one host; see `tenants.domains`."""

    __tablename__ = "domain_claims"

    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("platform.tenants.id", name="domain_claims_tenant_fkey", ondelete="CASCADE"), primary_key=True
    )
    host: Mapped[str] = mapped_column(primary_key=True)
    #: What the TXT record has to say. No secret: DNS shows it to everybody.
    token: Mapped[str]
    checked_at: Mapped[datetime | None]


class FormerHostRow(Timestamped, PlatformBase):
    """Where a renamed tenant was. Nobody else gets the host or the slug before `until`."""

    __tablename__ = "former_hosts"
    __table_args__ = (
        UniqueConstraint("slug", name="former_hosts_slug_key"),
        Index("former_hosts_tenant_idx", "tenant_id"),
    )

    host: Mapped[str] = mapped_column(primary_key=True)
    slug: Mapped[str]
    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("platform.tenants.id", name="former_hosts_tenant_fkey", ondelete="CASCADE")
    )
    until: Mapped[datetime]


class PooledSchemaRow(Identified, Timestamped, PlatformBase):
    """A schema that is ready before a tenant wants it; its id becomes the tenant's. See `tenants.warm`."""

    __tablename__ = "schema_pool"
    __table_args__ = (UniqueConstraint("schema", name="schema_pool_schema_key"),)

    schema: Mapped[str]
    database: Mapped[str]
    #: The revision of the whole schema; None: it is being made or dropped, and nobody may take it.
    revision: Mapped[str | None]


class TransferRow(Identified, Timestamped, PlatformBase):
    """A tenant on its way to another database, or in from an archive: what a killed transfer leaves for the next.

    Without a foreign key: the copy that a move leaves behind has to be dropped whatever became of the tenant.
    """

    __tablename__ = "transfers"
    __table_args__ = (
        CheckConstraint("kind IN ('move', 'import')", name="transfers_kind"),
        CheckConstraint("state IN ('under way', 'done')", name="transfers_state"),
        Index("transfers_open_key", "tenant_id", unique=True, postgresql_where=text("state = 'under way'")),
    )

    tenant_id: Mapped[UUID]
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(default="under way")
    schema: Mapped[str]
    #: The names of databases. An import has no source.
    source: Mapped[str | None]
    target: Mapped[str]
    #: The tenant's status before it was `moving`.
    status_before: Mapped[str | None]
    #: How long the old copy is kept from the switch on, and when that is over.
    keep_seconds: Mapped[int | None]
    drop_at: Mapped[datetime | None]


class EpochRow(PlatformBase):
    """One row, counted up by every change that a cache must learn of; see `tenants.changes`."""

    __tablename__ = "epoch"
    __table_args__ = (CheckConstraint("id = 1", name="epoch_single"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[int]
