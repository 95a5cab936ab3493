"""Alembic revisions as SQL, rendered once per process.

A tree is rendered through Alembic's offline mode without its env.py. What a tenant's revision names stays unqualified:
the search path of the transaction decides which schema it changes.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import String, TableClause, column, table

from tenants.base import PLATFORM_SCHEMA
from tenants.errors import InvalidRevision

if TYPE_CHECKING:
    from alembic.script import Script

_ROOT: Final = Path(__file__).parents[2] / "migrations"
_IDENTIFIER: Final = re.compile(r"\w{1,32}", re.ASCII)
_TRANSACTION: Final = re.compile(r"(BEGIN|COMMIT|ROLLBACK|START\s+TRANSACTION)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Step:
    """One revision's upgrade, a statement an operation."""

    revision: str
    statements: tuple[str, ...]


class Scripts:
    """The revisions of one tree: a straight line from the first to the head.

    `schema` holds the table in which Alembic keeps the version; None leaves that to the search path.
    """

    def __init__(self, location: Path, schema: str | None = None) -> None:
        self.location = location
        self.version_table: TableClause = table("alembic_version", column("version_num", String()), schema=schema)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Every revision, the first one first. Raises InvalidRevision."""
        from alembic.script import ScriptDirectory  # noqa: PLC0415 - slow to import: for who renders, and not for all

        directory = ScriptDirectory(str(self.location))
        heads = directory.get_heads()
        if len(heads) > 1:
            raise InvalidRevision(f"{self.location.name} has the heads {', '.join(heads)}: put one after the other")
        return tuple(_render(script) for script in reversed(list(directory.walk_revisions())))

    @property
    def head(self) -> str:
        return self.steps[-1].revision

    @cached_property
    def older(self) -> frozenset[str]:
        """Revisions before the head. A schema at any other is ahead of this code, and not behind."""
        return frozenset(step.revision for step in self.steps[:-1])

    def after(self, revision: str | None) -> tuple[Step, ...]:
        """The steps from `revision` (None: from nothing) to the head. Raises InvalidRevision where it is unknown."""
        if revision is None:
            return self.steps
        for index, step in enumerate(self.steps, start=1):
            if step.revision == revision:
                return self.steps[index:]
        raise InvalidRevision(f"The schema is at revision {revision}, which this version does not know: deploy a newer")

    def between(self, revision: str | None, target: str | None) -> tuple[Step, ...]:
        """The steps from `revision` to `target` (None: the head); none where it is beyond. Raises InvalidRevision."""
        steps = self.after(revision)
        if target is None or target == revision:
            return steps if target is None else ()
        self.after(target)
        names = [step.revision for step in steps]
        return steps[: names.index(target) + 1] if target in names else ()


class _Statements(list[str]):
    """What Alembic writes its SQL to: one statement at a time."""

    def write(self, text: str) -> None:
        self.append(text.strip())

    def flush(self) -> None:
        """Nothing is held back."""


def _render(script: "Script") -> Step:
    from alembic.operations import Operations  # noqa: PLC0415 - as above
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415 - as above

    statements = _Statements()
    context = MigrationContext.configure(
        dialect_name="postgresql",
        dialect_opts={"paramstyle": "named"},  # others would double each percent sign
        opts={"as_sql": True, "literal_binds": True, "output_buffer": statements},
    )
    try:
        with Operations.context(context):
            script.module.upgrade()
    except Exception as error:
        raise InvalidRevision(f"Revision {script.revision} cannot be rendered as SQL: {error}") from error
    if not _IDENTIFIER.fullmatch(script.revision):
        raise InvalidRevision(f"{script.revision!r} is not a revision's name: use up to 32 letters, digits and _")
    if any(map(_TRANSACTION.match, statements)):
        raise InvalidRevision(f"Revision {script.revision} ends the transaction that it has to run in")
    return Step(script.revision, tuple(statements))


PLATFORM: Final = Scripts(_ROOT / "platform", PLATFORM_SCHEMA)
TENANT: Final = Scripts(_ROOT / "tenant")
