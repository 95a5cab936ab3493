"""Second factors, passkeys, and the tenant's policy of signing in."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0004"
down_revision = "0003"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("sessions", sa.Column("confirmed_at", _TIME, nullable=True))
    _create_totp_factors()
    _create_recovery_codes()
    _create_passkeys()
    _create_spent_challenges()
    _create_policies()


def downgrade() -> None:
    for table in ("policies", "spent_challenges", "passkeys", "recovery_codes", "totp_factors"):
        op.drop_table(table)
    op.drop_column("sessions", "confirmed_at")


def _create_totp_factors() -> None:
    op.create_table(
        "totp_factors",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="totp_factors_pkey"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="totp_factors_user_fkey", ondelete="CASCADE"),
    )


def _create_recovery_codes() -> None:
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", _TIME, nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "digest", name="recovery_codes_pkey"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="recovery_codes_user_fkey", ondelete="CASCADE"),
    )


def _create_passkeys() -> None:
    op.create_table(
        "passkeys",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("synced", sa.Boolean(), nullable=False),
        sa.Column("transports", ARRAY(sa.Text()), nullable=False),
        sa.Column("last_used_at", _TIME, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="passkeys_pkey"),
        sa.UniqueConstraint("credential_id", name="passkeys_credential_key"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="passkeys_user_fkey", ondelete="CASCADE"),
    )
    op.create_index("passkeys_user_idx", "passkeys", ["user_id"])


def _create_spent_challenges() -> None:
    op.create_table(
        "spent_challenges",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="spent_challenges_pkey"),
    )
    op.create_index("spent_challenges_expires_idx", "spent_challenges", ["expires_at"])


def _create_policies() -> None:
    op.create_table(
        "policies",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("second_factor", sa.Text(), nullable=False),
        sa.Column("session_idle", sa.BigInteger(), nullable=True),
        sa.Column("session_lifetime", sa.BigInteger(), nullable=True),
        sa.Column("password_min", sa.BigInteger(), nullable=False),
        sa.Column("allowed_email_domains", ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="policies_pkey"),
        sa.CheckConstraint("name = 'sign-in'", name="policies_name"),
        sa.CheckConstraint("second_factor IN ('none', 'admins', 'everyone')", name="policies_second_factor"),
    )
