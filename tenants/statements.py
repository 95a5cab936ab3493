"""Statements that are compiled once, for what is done all the time (see `Database.direct`)."""

from typing import Any

from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.sql.elements import ClauseElement


class Statement:
    """A SELECT, INSERT, UPDATE or DELETE with a `bindparam` for each value that changes.

    It runs without SQLAlchemy: rows are the driver's, with its types; lists (`IN`) have to be written as `= ANY`, and
    defaults of columns are not filled in. Raises ValueError where it can only be compiled when its values are known.
    """

    def __init__(self, statement: ClauseElement) -> None:
        compiled: Any = statement.compile(dialect=asyncpg.dialect())  # type: ignore[no-untyped-call]  # untyped there
        if compiled.post_compile_params:
            raise ValueError("The statement depends on its values: use a session")
        self.sql = str(compiled)
        self._names: tuple[str, ...] = tuple(compiled.positiontup or ())
        self._fixed: dict[str, Any] = dict(compiled.params)

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        """What to send with `sql`. Raises TypeError at a value that the statement does not take."""
        if not values.keys() <= self._fixed.keys():
            raise TypeError(f"The statement takes {', '.join(self._fixed)}")
        return [values[name] if name in values else self._fixed[name] for name in self._names]
