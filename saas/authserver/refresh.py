"""Refresh tokens: a handle, which a family keeps through all rotations, and a secret, which each rotation replaces."""

import re
import secrets
from dataclasses import dataclass, field
from typing import Final

from saas.kit.ids import new_secret

_HANDLE_BYTES: Final = 16
_TOKEN: Final = re.compile(r"([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """`str()` of it is what the client gets."""

    handle: str = field(repr=False)
    secret: str = field(repr=False)

    @classmethod
    def new(cls) -> "RefreshToken":
        return cls(secrets.token_urlsafe(_HANDLE_BYTES), new_secret())

    @classmethod
    def parse(cls, text: str) -> "RefreshToken | None":
        """None where it is not one of ours, whatever it is."""
        match = _TOKEN.fullmatch(text)
        return cls(match[1], match[2]) if match else None

    def rotated(self) -> "RefreshToken":
        """The next one of the same family."""
        return RefreshToken(self.handle, new_secret())

    def __str__(self) -> str:
        return f"{self.handle}.{self.secret}"
