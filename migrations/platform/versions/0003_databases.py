"""Which database holds a tenant's schema."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("The registry only goes forward")
