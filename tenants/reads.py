"""A SELECT that is compiled once, for the few reads that are made all the time (see `Database.read_one`)."""

from typing import Any

from sqlalchemy import Select
from sqlalchemy.dialects.postgresql import asyncpg


class Read:
    """A statement with a `bindparam` for each value that changes.

    It runs without SQLAlchemy: rows are the driver's, with its types, and lists (`IN`) have to be written as `= ANY`.
    Raises ValueError where the statement can only be compiled when its values are known.
    """

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        compiled = statement.compile(dialect=asyncpg.dialect())  # type: ignore[no-untyped-call]  # untyped there
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
