"""Passwords that are hashed at the least cost that there is: by intention each hash takes longer than most tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from saas.identity import passwords

_KIB: Final = 8
_PASSES: Final = 1
_CHEAP: Final[dict[str, Any]] = {
    "_MEMORY_KIB": _KIB,
    "_PASSES": _PASSES,
    "_CONTEXT": passwords._CONTEXT.copy(argon2__memory_cost=_KIB, argon2__time_cost=_PASSES),
}
_DEAR: Final[dict[str, Any]] = {name: getattr(passwords, name) for name in _CHEAP}


@contextmanager
def cheap() -> Iterator[None]:
    """In this process alone: a server that a test starts replaces such a hash at the first sign-in."""
    with _replaced(_CHEAP):
        yield


@contextmanager
def dear() -> Iterator[None]:
    """As in production, for tests of the cost itself."""
    with _replaced(_DEAR):
        yield


@contextmanager
def _replaced(values: dict[str, Any]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setattr(passwords, name, value)
        yield
