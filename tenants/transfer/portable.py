"""What the product says of its tables, so that tenants can be carried."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from tenants.engine import quote_identifier


class Sealer(Protocol):
    """Secrets at rest: `context` ties sealed bytes to their place."""

    def seal(self, plaintext: bytes, context: bytes) -> bytes: ...
    def open(self, sealed: bytes, context: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column whose values only open at their place: `context` says which, of the tenant's id and of what the columns
    `by` hold in the same row, as text. Empty values are not sealed."""

    table: str
    column: str
    by: tuple[str, ...]
    context: Callable[[UUID, Mapping[str, str]], bytes]


@dataclass(frozen=True, slots=True)
class Portable:
    """How a tenant travels in an archive. A move to another database carries every row as it is."""

    sealer: Sealer
    sealed: tuple[SealedColumn, ...]
    #: Tables that stay behind, and columns (table, column) that arrive empty.
    left: frozenset[str] = frozenset()
    cleared: frozenset[tuple[str, str]] = frozenset()
    #: Tables that only make sense at the same issuer: at another, they arrive empty.
    of_issuer: frozenset[str] = frozenset()

    def of(self, table: str) -> tuple[SealedColumn, ...]:
        return tuple(place for place in self.sealed if place.table == table)

    def instead(self, table: str) -> dict[str, str]:
        """Expressions for the columns whose values are not copied as they are. They are all of bytes."""
        null = {column: "NULL::pg_catalog.bytea" for named, column in self.cleared if named == table}
        names = {place.column: quote_identifier(place.column) for place in self.of(table)}
        empty = "CASE WHEN {0} IS NOT NULL THEN ''::pg_catalog.bytea END"  # a column that has to hold something does
        return null | {column: empty.format(name) for column, name in names.items()}
