"""The scope catalogue: what a token may be allowed to do, in words for the people who consent to it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope (RFC 6749 section 3.3). A sensitive one is marked where a person is asked for consent."""

    name: str
    description: str
    category: str
    sensitive: bool = False


class ScopeCatalogue:
    """Every scope that this deployment knows, in the order in which features declare them."""

    def __init__(self, scopes: Iterable[Scope], administrative: Iterable[str] = ()) -> None:
        """`administrative`: the names of those that open the console. Raises ValueError where two features declare the
        same scope.
        """
        self.administrative: Final = frozenset(administrative)
        self._scopes: dict[str, Scope] = {}
        for scope in scopes:
            if scope.name in self._scopes:
                raise ValueError(f"The scope {scope.name} is declared twice")
            self._scopes[scope.name] = scope

    def __iter__(self) -> Iterator[Scope]:
        return iter(self._scopes.values())

    def __contains__(self, name: str) -> bool:
        return name in self._scopes

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._scopes)

    def unknown(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if name not in self._scopes]
