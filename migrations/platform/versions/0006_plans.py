"""Plans in versions, and what a tenant has for a while beyond its plan."""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("The registry only goes forward")
