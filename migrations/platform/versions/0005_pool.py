"""Schemas that are ready before a tenant wants them."""

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("The registry only goes forward")
