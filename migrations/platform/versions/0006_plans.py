"""Plans in versions, and what a tenant has for a while beyond its plan."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

SCHEMA = "platform"
_TIME = sa.DateTime(timezone=True)
_CAPS = ("requests_per_month", "concurrent", "users", "clients", "projects", "domains", "token_lifetime")
_SHARES = ("client_share", "user_share")
#: What the plans are that were delivered. One that was changed since is its operator's: it gets no cap.
_DELIVERED: dict[tuple[str, int, int, int], dict[str, Any]] = {
    ("free", 60, 10, 10_000): {
        "requests_per_month": 100_000,
        "concurrent": 10,
        "users": 5,
        "clients": 3,
        "projects": 10,
        "domains": 0,
        "token_lifetime": 3_600,
        "audit_days": 30,
    },
    ("pro", 600, 60, 500_000): {
        "requests_per_month": 10_000_000,
        "concurrent": 50,
        "users": 100,
        "clients": 50,
        "projects": 1_000,
        "domains": 5,
        "token_lifetime": 14_400,
        "client_share": 80,
        "user_share": 50,
        "audit_days": 180,
        "features": ["custom-domains"],
    },
    ("enterprise", 6_000, 600, 10_000_000): {
        "requests_per_month": 200_000_000,
        "concurrent": 500,
        "domains": 50,
        "token_lifetime": 86_400,
        "client_share": 80,
        "user_share": 50,
        "audit_days": 730,
        "features": ["audit-export", "custom-domains"],
    },
}


def upgrade() -> None:
    """The limits in `plans` itself stay, and follow the newest version: the release before this one reads them."""
    versions = op.create_table(
        "plan_versions",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("requests_per_minute", sa.BigInteger(), nullable=False),
        sa.Column("burst", sa.BigInteger(), nullable=False),
        sa.Column("requests_per_day", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in (*_CAPS, *_SHARES)),
        sa.Column("audit_days", sa.BigInteger(), nullable=False),
        sa.Column("features", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("shadow", sa.Boolean(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", "version", name="plan_versions_pkey"),
        sa.ForeignKeyConstraint(["name"], [f"{SCHEMA}.plans.name"], name="plan_versions_name_fkey", ondelete="CASCADE"),
        sa.CheckConstraint(
            "requests_per_minute > 0 AND burst > 0 AND requests_per_day > 0", name="plan_versions_positive"
        ),
        schema=SCHEMA,
    )
    _seed(versions)
    op.add_column("tenants", sa.Column("plan_version", sa.BigInteger(), nullable=True), schema=SCHEMA)
    op.create_foreign_key(
        "tenants_plan_version_fkey",
        "tenants",
        "plan_versions",
        ["plan", "plan_version"],
        ["name", "version"],
        source_schema=SCHEMA,
        referent_schema=SCHEMA,
    )
    op.add_column("tenants", sa.Column("overrides", postgresql.JSONB(), nullable=True), schema=SCHEMA)


def _seed(versions: sa.TableClause) -> None:
    """Every plan as it was is version 1."""
    copied = sa.table(
        "plans", *map(sa.column, ("name", "requests_per_minute", "burst", "requests_per_day")), schema=SCHEMA
    )
    no_features: sa.ColumnClause[list[str]] = sa.literal_column("ARRAY[]::text[]")
    was = sa.select(*copied.c, sa.literal_column("1"), sa.literal_column("365"), no_features, sa.false())
    names = (*(column.name for column in copied.c), "version", "audit_days", "features", "shadow")
    op.execute(
        versions.insert().from_select(
            [*names, "created_at", "updated_at"], was.add_columns(sa.func.now(), sa.func.now())
        )
    )
    for (name, per_minute, burst, per_day), values in _DELIVERED.items():
        untouched = {"name": name, "requests_per_minute": per_minute, "burst": burst, "requests_per_day": per_day}
        same = (versions.c[column] == value for column, value in untouched.items())
        op.execute(versions.update().where(*same).values(values))


def downgrade() -> None:
    raise NotImplementedError("The registry only goes forward")
