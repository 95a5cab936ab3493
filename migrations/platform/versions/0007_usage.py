"""What the platform keeps of tenants' use."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("The registry only goes forward")
