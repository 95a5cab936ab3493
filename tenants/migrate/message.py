"""A tenant's migration as one message: the locks, the guard, the statements, the versions and the commit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tenants.base import PLATFORM_SCHEMA
from tenants.engine import quote_identifier
from tenants.migrate.render import Scripts, Step

#: How long a migration waits for another process that changes the same schema.
LOCK_TIMEOUT_MS: Final = 5_000
#: How long it waits for requests that use a table: those who come after it wait behind it. Less than the server's
#: deadlock_timeout (a second), so that where a request and a migration wait for each other, the migration gives way.
TABLE_LOCK_TIMEOUT_MS: Final = 500
#: How often a migration that gave way to requests tries again, and the seconds between two times.
ATTEMPTS: Final = 20
PAUSE: Final = 0.25

#: SQLSTATEs of our own: the schema is not at the revision that the message starts from; the registry knows no such
#: tenant that may be migrated.
MOVED: Final = "SM001"
GONE: Final = "SM002"
#: lock_not_available, deadlock_detected: worth another attempt.
BUSY: Final = frozenset({"55P03", "40P01"})


@dataclass(frozen=True, slots=True)
class Message:
    """`before` is the tenant's own; after it go the script, which is the same for many, and a COMMIT.

    `registry` is a second transaction, in the registry's database, where that is another; it comes after the first.
    """

    before: str
    registry: str | None


def script_of(steps: Sequence[Step]) -> str:
    """The statements of the steps, as they go between a message's two ends."""
    return "\n".join(statement for step in steps for statement in step.statements)


def compose(tenant_id: UUID, schema: str, revision: str, target: str, scripts: Scripts, *, apart: bool) -> Message:
    """The message that moves a schema from `revision` to `target`, and nothing if it is at another revision.

    `apart`: the registry is in another database than the schema.
    """
    # Nothing of this is true before the commit, so it may come first. In one block: each takes as long as a statement
    # of the script.
    advance = (
        f"UPDATE {scripts.version_table.fullname} SET version_num = {_literal(target)} "  # noqa: S608 - as below
        f"WHERE version_num = {_literal(revision)}; "
        f"IF NOT FOUND THEN RAISE 'moved' USING ERRCODE = '{MOVED}'; END IF; "
    )
    register = (
        f"UPDATE {PLATFORM_SCHEMA}.tenants SET revision = {_literal(target)} "  # noqa: S608 - as below
        f"WHERE id = '{tenant_id}' AND status <> 'deleting'; "
        f"IF NOT FOUND THEN RAISE 'gone' USING ERRCODE = '{GONE}'; END IF; "
    )
    before = (
        f"BEGIN; SET LOCAL search_path TO {quote_identifier(schema)}; "  # every value is quoted
        f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}; "
        f"SELECT pg_advisory_xact_lock(hashtextextended({_literal(schema)}, 0)); "
        # Each statement of a message has a snapshot of its own: this one sees what was committed before the lock.
        f"DO $$ BEGIN {advance}{'' if apart else register}END $$; "
        f"SET LOCAL lock_timeout = {TABLE_LOCK_TIMEOUT_MS};\n"
    )
    return Message(before, f"DO $$ BEGIN {register}END $$" if apart else None)


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
