"""Device authorization (RFC 8628): what a device may ask for, and the code that a person types for it. Pure."""

import re
import secrets
from collections.abc import Mapping
from typing import Final

from saas.authserver.client import Client
from saas.authserver.errors import UnauthorizedClient

GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:device_code"
#: Seconds until both codes expire, and between two polls; by how much the latter grows when a device is too fast.
LIFETIME: Final = 600
INTERVAL: Final = 5
SLOW_DOWN: Final = 5

#: Section 6.1: no vowels, so that no words come up, and nothing that is taken for something else. 34 bits in all.
_ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
_GROUP: Final = 4
_USER_CODE: Final = re.compile(rf"[{_ALPHABET}]{{{2 * _GROUP}}}")
#: What people put between the letters. Longer texts are not looked at.
_BETWEEN: Final = re.compile(r"[\s\-\u2010-\u2015_.]+")
_MAX_TYPED: Final = 40


def scopes_asked(form: Mapping[str, str], client: Client) -> tuple[str, ...]:
    """The scopes that a device's request (section 3.1) asks for. Raises UnauthorizedClient and InvalidScope."""
    if not client.check_grant_type(GRANT_TYPE):
        raise UnauthorizedClient("This client does not use device codes")
    return tuple(client.get_allowed_scope(form.get("scope")).split(" "))


def new_user_code() -> str:
    """In its canonical form: eight letters."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(2 * _GROUP))


def shown(user_code: str) -> str:
    """As a device shows it: `XXXX-XXXX`."""
    return f"{user_code[:_GROUP]}-{user_code[_GROUP:]}"


def canonical(typed: str) -> str | None:
    """What somebody typed, whatever their capitals, spaces and hyphens; None where it can be no user code."""
    letters = _BETWEEN.sub("", typed[:_MAX_TYPED]).upper()
    return letters if _USER_CODE.fullmatch(letters) and len(typed) <= _MAX_TYPED else None
