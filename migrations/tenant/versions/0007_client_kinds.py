"""What kind of app a client is, and since when its access tokens count."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("oauth_clients", sa.Column("kind", sa.Text(), nullable=True))
    op.add_column("oauth_clients", sa.Column("tokens_since", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("oauth_clients", "tokens_since")
    op.drop_column("oauth_clients", "kind")
