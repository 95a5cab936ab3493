"""People's sessions, roles and mailed links; what clients are granted on their behalf."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0002"
down_revision = "0001"

_TIME = sa.DateTime(timezone=True)
#: In the order in which they can be made.
_TABLES = (
    "sessions",
    "roles",
    "mailed_links",
    "oauth_consents",
    "oauth_codes",
    "oauth_refresh_families",
    "oauth_device_codes",
    "oauth_pushed_requests",
    "oauth_revocations",
    "oauth_assertions",
    "oauth_session_clients",
    "oauth_logout_deliveries",
)
_CLIENT_COLUMNS = (
    ("redirect_uris", ARRAY(sa.Text()), "{}"),
    ("post_logout_redirect_uris", ARRAY(sa.Text()), "{}"),
    ("first_party", sa.Boolean(), "false"),
    ("id_token_signed_response_alg", sa.Text(), "ES256"),
    ("resources", ARRAY(sa.Text()), "{}"),
)


def upgrade() -> None:
    op.add_column("users", sa.Column("email_verified_at", _TIME, nullable=True))
    _extend_clients()
    _create_sessions()
    _create_roles()
    _create_mailed_links()
    _create_consents()
    _create_codes()
    _create_refresh_families()
    _create_device_codes()
    _create_pushed_requests()
    _create_revocations()
    _create_assertions()
    _create_session_clients()
    _create_logout_deliveries()


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)
    for name in ("jwks", "backchannel_logout_uri", *(column[0] for column in _CLIENT_COLUMNS)):
        op.drop_column("oauth_clients", name)
    op.drop_column("users", "email_verified_at")


def _extend_clients() -> None:
    """The default fills the rows that are there; afterwards every insert names its value."""
    for name, kind, default in _CLIENT_COLUMNS:
        op.add_column("oauth_clients", sa.Column(name, kind, nullable=False, server_default=default))
        op.alter_column("oauth_clients", name, server_default=None)
    op.add_column("oauth_clients", sa.Column("jwks", sa.Text(), nullable=True))
    op.add_column("oauth_clients", sa.Column("backchannel_logout_uri", sa.Text(), nullable=True))


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("authenticated_at", _TIME, nullable=False),
        sa.Column("amr", ARRAY(sa.Text()), nullable=False),
        sa.Column("last_seen_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="sessions_pkey"),
        sa.UniqueConstraint("digest", name="sessions_digest_key"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="sessions_user_fkey", ondelete="CASCADE"),
    )
    op.create_index("sessions_expires_idx", "sessions", ["expires_at"])
    op.create_index("sessions_user_idx", "sessions", ["user_id"])


def _create_roles() -> None:
    op.create_table(
        "roles",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("scopes", ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="roles_pkey"),
    )


def _create_mailed_links() -> None:
    op.create_table(
        "mailed_links",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("used_at", _TIME, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="mailed_links_pkey"),
        sa.UniqueConstraint("digest", name="mailed_links_digest_key"),
        sa.CheckConstraint("purpose IN ('reset', 'invitation')", name="mailed_links_purpose"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="mailed_links_user_fkey", ondelete="CASCADE"),
    )
    op.create_index("mailed_links_expires_idx", "mailed_links", ["expires_at"])
    op.create_index("mailed_links_user_idx", "mailed_links", ["user_id"])


def _create_consents() -> None:
    op.create_table(
        "oauth_consents",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("client", sa.Uuid(), nullable=False),
        sa.Column("scopes", ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "client", name="oauth_consents_pkey"),
        sa.ForeignKeyConstraint(
            ["client"], ["oauth_clients.id"], name="oauth_consents_client_fkey", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="oauth_consents_user_fkey", ondelete="CASCADE"),
    )
    op.create_index("oauth_consents_client_idx", "oauth_consents", ["client"])


def _create_codes() -> None:
    op.create_table(
        "oauth_codes",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("client", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("code_challenge", sa.Text(), nullable=False),
        sa.Column("scopes", ARRAY(sa.Text()), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=True),
        sa.Column("resource", sa.Text(), nullable=True),
        sa.Column("authenticated_at", _TIME, nullable=False),
        sa.Column("amr", ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("redeemed_at", _TIME, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="oauth_codes_pkey"),
        sa.ForeignKeyConstraint(["client"], ["oauth_clients.id"], name="oauth_codes_client_fkey", ondelete="CASCADE"),
        sa.UniqueConstraint("digest", name="oauth_codes_digest_key"),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name="oauth_codes_session_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="oauth_codes_user_fkey", ondelete="CASCADE"),
    )
    op.create_index("oauth_codes_expires_idx", "oauth_codes", ["expires_at"])


def _create_refresh_families() -> None:
    op.create_table(
        "oauth_refresh_families",
        sa.Column("handle", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("previous_digest", sa.LargeBinary(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("rotated_at", _TIME, nullable=True),
        sa.Column("client", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("scopes", ARRAY(sa.Text()), nullable=False),
        sa.Column("resource", sa.Text(), nullable=True),
        sa.Column("authenticated_at", _TIME, nullable=False),
        sa.Column("amr", ARRAY(sa.Text()), nullable=False),
        sa.Column("last_used_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("revoked_at", _TIME, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="oauth_refresh_families_pkey"),
        sa.ForeignKeyConstraint(
            ["client"], ["oauth_clients.id"], name="oauth_refresh_families_client_fkey", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("handle", name="oauth_refresh_families_handle_key"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="oauth_refresh_families_user_fkey", ondelete="CASCADE"),
    )
    op.create_index("oauth_refresh_families_client_idx", "oauth_refresh_families", ["client"])
    op.create_index("oauth_refresh_families_expires_idx", "oauth_refresh_families", ["expires_at"])
    op.create_index("oauth_refresh_families_user_idx", "oauth_refresh_families", ["user_id"])


def _create_device_codes() -> None:
    op.create_table(
        "oauth_device_codes",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("user_code", sa.Text(), nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("client", sa.Uuid(), nullable=False),
        sa.Column("scopes", ARRAY(sa.Text()), nullable=False),
        sa.Column("resource", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("interval", sa.BigInteger(), nullable=False),
        sa.Column("last_polled_at", _TIME, nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("authenticated_at", _TIME, nullable=True),
        sa.Column("amr", ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="oauth_device_codes_pkey"),
        sa.ForeignKeyConstraint(
            ["client"], ["oauth_clients.id"], name="oauth_device_codes_client_fkey", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("digest", name="oauth_device_codes_digest_key"),
        sa.CheckConstraint("status IN ('pending', 'approved', 'denied', 'redeemed')", name="oauth_device_codes_status"),
        sa.UniqueConstraint("user_code", name="oauth_device_codes_user_code_key"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="oauth_device_codes_user_fkey", ondelete="CASCADE"),
    )
    op.create_index("oauth_device_codes_expires_idx", "oauth_device_codes", ["expires_at"])


def _create_pushed_requests() -> None:
    op.create_table(
        "oauth_pushed_requests",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("client", sa.Uuid(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="oauth_pushed_requests_pkey"),
        sa.ForeignKeyConstraint(
            ["client"], ["oauth_clients.id"], name="oauth_pushed_requests_client_fkey", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("digest", name="oauth_pushed_requests_digest_key"),
    )
    op.create_index("oauth_pushed_requests_expires_idx", "oauth_pushed_requests", ["expires_at"])


def _create_revocations() -> None:
    op.create_table(
        "oauth_revocations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="oauth_revocations_pkey"),
    )
    op.create_index("oauth_revocations_expires_idx", "oauth_revocations", ["expires_at"])


def _create_assertions() -> None:
    op.create_table(
        "oauth_assertions",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="oauth_assertions_pkey"),
    )
    op.create_index("oauth_assertions_expires_idx", "oauth_assertions", ["expires_at"])


def _create_session_clients() -> None:
    op.create_table(
        "oauth_session_clients",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("client", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "client", name="oauth_session_clients_pkey"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="oauth_session_clients_session_fkey", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["client"], ["oauth_clients.id"], name="oauth_session_clients_client_fkey", ondelete="CASCADE"
        ),
    )
    op.create_index("oauth_session_clients_client_idx", "oauth_session_clients", ["client"])


def _create_logout_deliveries() -> None:
    op.create_table(
        "oauth_logout_deliveries",
        sa.Column("client", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt_at", _TIME, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="oauth_logout_deliveries_pkey"),
        sa.ForeignKeyConstraint(
            ["client"], ["oauth_clients.id"], name="oauth_logout_deliveries_client_fkey", ondelete="CASCADE"
        ),
    )
    op.create_index("oauth_logout_deliveries_next_idx", "oauth_logout_deliveries", ["next_attempt_at"])
