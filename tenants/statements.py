"""Statements that are compiled once, for what is done all the time (see `Database.direct`)."""

from typing import Any

from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.sql.elements import ClauseElement


class Statement:
    """A SELECT, INSERT, UPDATE or DELETE with a `bindparam` for each value that changes.

    It runs without SQLAlchemy: rows are the driver's, with its types, and lists (`IN`) have to be written as `= ANY`.
    Raises ValueError where it can only be compiled when its values are known, or where SQLAlchemy would compute some
    (`default`, `onupdate`): those have to be among the values.
    """

    def __init__(self, statement: ClauseElement) -> None:
        compiled: Any = statement.compile(dialect=asyncpg.dialect())  # type: ignore[no-untyped-call]  # untyped there
        if compiled.post_compile_params:
            raise ValueError("The statement depends on its values: use a session")
        if compiled.insert_prefetch or compiled.update_prefetch:
            raise ValueError("The statement leaves a column to SQLAlchemy: name it, with a bindparam")
        self.sql = str(compiled)
        self._names: tuple[str, ...] = tuple(compiled.positiontup or ())
        self._fixed: dict[str, Any] = dict(compiled.params)
        self._open = frozenset(name for name, bind in compiled.binds.items() if bind.required)

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        """What to send with `sql`. Raises TypeError unless `values` are all that it takes."""
        if values.keys() != self._open:
            raise TypeError(f"The statement takes {', '.join(sorted(self._open))}")
        return [values[name] if name in values else self._fixed[name] for name in self._names]
