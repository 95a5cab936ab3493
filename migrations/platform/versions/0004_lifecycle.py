"""A tenant's former hosts, the proof that a domain is its own, and its way out."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

SCHEMA = "platform"
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.drop_constraint("tenants_status", "tenants", schema=SCHEMA)
    op.create_check_constraint(
        "tenants_status",
        "tenants",
        "status IN ('provisioning', 'active', 'suspended', 'moving', 'deleted', 'deleting')",
        schema=SCHEMA,
    )
    op.add_column("tenants", sa.Column("deleted_at", _TIME, nullable=True), schema=SCHEMA)
    op.add_column("tenants", sa.Column("purge_at", _TIME, nullable=True), schema=SCHEMA)
    op.create_table(
        "former_hosts",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("until", _TIME, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("host", name="former_hosts_pkey"),
        sa.UniqueConstraint("slug", name="former_hosts_slug_key"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], [f"{SCHEMA}.tenants.id"], name="former_hosts_tenant_fkey", ondelete="CASCADE"
        ),
        schema=SCHEMA,
    )
    op.create_index("former_hosts_tenant_idx", "former_hosts", ["tenant_id"], schema=SCHEMA)
    op.create_table(
        "domain_claims",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("checked_at", _TIME, nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "host", name="domain_claims_pkey"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], [f"{SCHEMA}.tenants.id"], name="domain_claims_tenant_fkey", ondelete="CASCADE"
        ),
        schema=SCHEMA,
    )


def downgrade() -> None:
    raise NotImplementedError("The registry only goes forward")
