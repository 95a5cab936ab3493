"""Second factors, passkeys, and the tenant's policy of signing in."""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    pass
