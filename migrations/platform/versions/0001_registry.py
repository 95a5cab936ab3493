"""The registry: plans, tenants and their custom domains, and the epoch that counts changes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SCHEMA = "platform"
_TIME = sa.DateTime(timezone=True)
#: name, requests a minute, burst, requests a day
_PLANS = (
    ("free", 60, 10, 10_000),
    ("pro", 600, 60, 500_000),
    ("enterprise", 6_000, 600, 10_000_000),
)


def upgrade() -> None:
    plans = op.create_table(
        "plans",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("requests_per_minute", sa.BigInteger(), nullable=False),
        sa.Column("burst", sa.BigInteger(), nullable=False),
        sa.Column("requests_per_day", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="plans_pkey"),
        sa.CheckConstraint("requests_per_minute > 0 AND burst > 0 AND requests_per_day > 0", name="plans_positive"),
        schema=SCHEMA,
    )
    op.create_table(
        "tenants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("schema", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("suspended_reason", sa.Text(), nullable=True),
        sa.Column("revision", sa.Text(), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="tenants_pkey"),
        sa.UniqueConstraint("slug", name="tenants_slug_key"),
        sa.UniqueConstraint("host", name="tenants_host_key"),
        sa.UniqueConstraint("schema", name="tenants_schema_key"),
        sa.CheckConstraint(
            "status IN ('provisioning', 'active', 'suspended', 'deleting')",
            name="tenants_status",
        ),
        sa.ForeignKeyConstraint(["plan"], [f"{SCHEMA}.plans.name"], name="tenants_plan_fkey"),
        schema=SCHEMA,
    )
    op.create_index("tenants_revision_idx", "tenants", ["revision"], schema=SCHEMA)
    op.create_table(
        "domains",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("host", name="domains_pkey"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], [f"{SCHEMA}.tenants.id"], name="domains_tenant_fkey", ondelete="CASCADE"
        ),
        schema=SCHEMA,
    )
    op.create_index("domains_tenant_idx", "domains", ["tenant_id"], schema=SCHEMA)
    epoch = op.create_table(
        "epoch",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="epoch_pkey"),
        sa.CheckConstraint("id = 1", name="epoch_single"),
        schema=SCHEMA,
    )
    _seed(plans, epoch)


def _seed(plans: sa.TableClause, epoch: sa.TableClause) -> None:
    for name, per_minute, burst, per_day in _PLANS:
        values = {"name": name, "requests_per_minute": per_minute, "burst": burst, "requests_per_day": per_day}
        op.execute(plans.insert().values(**values, created_at=sa.func.now(), updated_at=sa.func.now()))
    op.execute(epoch.insert().values(id=1, value=0))


def downgrade() -> None:
    raise NotImplementedError("Without the registry no tenant can be found again: drop the database instead")
