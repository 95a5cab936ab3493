"""Which database holds a tenant's schema."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SCHEMA = "platform"


def upgrade() -> None:
    database = sa.Column("database", sa.Text(), nullable=False, server_default="default")
    op.add_column("tenants", database, schema=SCHEMA)
    op.alter_column("tenants", "database", server_default=None, schema=SCHEMA)


def downgrade() -> None:
    raise NotImplementedError("The registry only goes forward")
