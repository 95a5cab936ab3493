"""Tenants on their way: to another database, or in from an archive."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

SCHEMA = "platform"
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "transfers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("schema", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("status_before", sa.Text(), nullable=True),
        sa.Column("keep_seconds", sa.BigInteger(), nullable=True),
        sa.Column("drop_at", _TIME, nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="transfers_pkey"),
        sa.CheckConstraint("kind IN ('move', 'import')", name="transfers_kind"),
        sa.CheckConstraint("state IN ('under way', 'done')", name="transfers_state"),
        schema=SCHEMA,
    )
    op.create_index(
        "transfers_open_key",
        "transfers",
        ["tenant_id"],
        unique=True,
        postgresql_where=sa.text("state = 'under way'"),
        schema=SCHEMA,
    )


def downgrade() -> None:
    raise NotImplementedError("The registry only goes forward")
