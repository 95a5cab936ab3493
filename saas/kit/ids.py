"""Random identifiers and secrets that people and programs see."""

import secrets
from typing import Final

#: Bytes of randomness in a secret: enough that a fast hash at rest is safe.
SECRET_BYTES: Final = 32


def new_secret() -> str:
    """256 random bits, URL-safe: a client secret, a code, a token."""
    return secrets.token_urlsafe(SECRET_BYTES)


def new_public_id(prefix: str) -> str:
    """An identifier that says what it is: `app_` and 128 random bits."""
    return f"{prefix}_{secrets.token_hex(16)}"


def new_password() -> str:
    """A generated password for a person: 100 bits in four groups that can be read aloud."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(4))
