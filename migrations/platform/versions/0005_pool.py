"""Schemas that are ready before a tenant wants them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

SCHEMA = "platform"
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "schema_pool",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("schema", sa.Text(), nullable=False),
        sa.Column("database", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="schema_pool_pkey"),
        sa.UniqueConstraint("schema", name="schema_pool_schema_key"),
        schema=SCHEMA,
    )


def downgrade() -> None:
    raise NotImplementedError("The registry only goes forward")
