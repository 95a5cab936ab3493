"""Claims about a person, by the scopes that ask for them (OpenID Connect Core sections 5.1 and 5.4)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

#: What each scope gives.
CLAIMS_OF: Final = {"profile": ("name", "updated_at"), "email": ("email", "email_verified")}


@dataclass(frozen=True, slots=True)
class Person:
    """What a client may learn of a person, as things stand now."""

    name: str
    email: str
    #: They have used a link that was mailed to the address.
    email_verified: bool
    updated_at: datetime


def claims_of(person: Person, scopes: Collection[str]) -> dict[str, Any]:
    """What `scopes` give, in their standard form."""
    known: dict[str, Any] = {
        "name": person.name,
        "updated_at": int(person.updated_at.timestamp()),
        "email": person.email,
        "email_verified": person.email_verified,
    }
    return {name: known[name] for scope, names in CLAIMS_OF.items() if scope in scopes for name in names}
