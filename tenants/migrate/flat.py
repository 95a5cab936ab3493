"""The final state of a tree's revisions as one script: a new schema is made with it, not with every revision.

`python -m migrations.flatten` writes the script beside the revisions. It says which revision it leads to, and holds a
digest of the statements that it stands for: where one of them was changed since, it is not used.
"""

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

from tenants.migrate.render import Scripts, Step

FILE: Final = "flat.sql"
_HEAD: Final = re.compile(r"-- Revision (\w{1,32}) instead of ([0-9a-f]{64})\.[^\n]*\n")


def steps_from_nothing(scripts: Scripts) -> tuple[Step, ...]:
    """What makes a new schema: the script, then the revisions after it; all revisions where no script is right."""
    flat = load(scripts)
    return scripts.steps if flat is None else (flat, *scripts.after(flat.revision))


@lru_cache(maxsize=8)
def load(scripts: Scripts) -> Step | None:
    """The script of the tree; None where there is none, or it is not of these revisions."""
    path: Path = scripts.location / FILE
    if not path.exists():
        return None
    text = path.read_text()
    head = _HEAD.match(text)
    for end, step in enumerate(scripts.steps, start=1):
        if head is not None and head.groups() == (step.revision, _digest(scripts.steps[:end])):
            return Step(step.revision, tuple(text[head.end() :].strip().split("\n\n")))
    return None


def dump(scripts: Scripts, statements: Iterable[str]) -> str:
    """The file's content, for statements that lead to the head."""
    head = f"-- Revision {scripts.head} instead of {_digest(scripts.steps)}. Made by `python -m migrations.flatten`.\n"
    return head + "\n" + "\n\n".join(statements) + "\n"


def _digest(steps: tuple[Step, ...]) -> str:
    statements = (f"{step.revision}: {' '.join(statement.split())}" for step in steps for statement in step.statements)
    return hashlib.sha256("\n".join(statements).encode()).hexdigest()
