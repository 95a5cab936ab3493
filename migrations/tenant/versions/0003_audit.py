"""The audit log: events, and the head of their chain."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_TIME = sa.DateTime(timezone=True)
#: What the first event is chained to.
_GENESIS = sa.func.decode("00" * 32, "hex")


def upgrade() -> None:
    _create_events()
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("pruned_position", sa.BigInteger(), nullable=False),
        sa.Column("pruned_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="audit_head_pkey"),
        sa.CheckConstraint("id = 1", name="audit_head_single"),
    )
    op.execute(head.insert().values(id=1, position=0, hash=_GENESIS, pruned_position=0, pruned_hash=_GENESIS))


def downgrade() -> None:
    op.drop_table("audit_head")
    op.drop_table("audit_events")


def _create_events() -> None:
    op.create_table(
        "audit_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", _TIME, nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=True),
        sa.Column("actor_name", sa.Text(), nullable=True),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("target_kind", sa.Text(), nullable=True),
        sa.Column("target_id", sa.Text(), nullable=True),
        sa.Column("target_name", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="audit_events_pkey"),
        sa.UniqueConstraint("position", name="audit_events_position_key"),
        sa.CheckConstraint(
            "actor_kind IN ('user', 'client', 'operator', 'system', 'anonymous')", name="audit_events_actor_kind"
        ),
    )
    op.create_index("audit_events_occurred_idx", "audit_events", ["occurred_at"])
    op.create_index("audit_events_action_idx", "audit_events", ["action", "position"])
    op.create_index("audit_events_actor_idx", "audit_events", ["actor_id", "position"])
    op.create_index("audit_events_target_idx", "audit_events", ["target_id", "position"])
