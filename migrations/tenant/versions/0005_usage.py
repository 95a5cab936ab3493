"""Use by the hour."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "usage_hours",
        sa.Column("hour", _TIME, nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("refusals", sa.BigInteger(), nullable=False),
        sa.Column("would_refuse", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "client_id", name="usage_hours_pkey"),
    )
    op.create_table(
        "usage_batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("taken_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="usage_batches_pkey"),
    )
    op.create_index("usage_batches_taken_idx", "usage_batches", ["taken_at"])


def downgrade() -> None:
    op.drop_table("usage_batches")
    op.drop_table("usage_hours")
