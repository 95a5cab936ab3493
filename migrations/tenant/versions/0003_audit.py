"""The audit log: events, and the head of their chain."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    pass
