"""A tenant's looks: its colour, and its logo."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

SCHEMA = "platform"
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("tenants", sa.Column("accent", sa.Text(), nullable=True), schema=SCHEMA)
    op.add_column("tenants", sa.Column("logo", sa.Text(), nullable=True), schema=SCHEMA)
    op.create_table(
        "logos",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name="logos_pkey"),
        sa.ForeignKeyConstraint(["tenant_id"], [f"{SCHEMA}.tenants.id"], name="logos_tenant_fkey", ondelete="CASCADE"),
        schema=SCHEMA,
    )


def downgrade() -> None:
    raise NotImplementedError("The registry only goes forward")
