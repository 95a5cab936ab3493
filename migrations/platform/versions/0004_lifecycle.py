"""A tenant's former hosts, the proof that a domain is its own, and its way out."""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("The registry only goes forward")
