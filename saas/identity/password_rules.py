"""Which new passwords are accepted: long enough, not among those that everybody tries first (NIST SP 800-63B)."""

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from itertools import pairwise
from typing import Final

from anyio import to_thread

from saas.identity.errors import WeakPassword
from saas.identity.passwords import normalized

MIN_LENGTH: Final = 10
MAX_LENGTH: Final = 128
#: NFKC makes text longer or shorter; what is much too long is not even normalized.
_MAX_RAW: Final = MAX_LENGTH * 4
#: What people put around a common password: `password2024!` is as common as `password`.
_DECORATION: Final = "0123456789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ "
_LOOKALIKES: Final = str.maketrans("013457@$!", "oleastasi")


async def check_new_password(password: str, min_length: int = MIN_LENGTH, *, personal: Iterable[str] = ()) -> None:
    """`personal` stands for the person: the address, the name. `min_length` is the tenant's. Lengths
    are those of the NFKC form, in code points.

    Raises WeakPassword.
    """
    text = normalized(password) if len(password) <= _MAX_RAW else password
    if len(text) > MAX_LENGTH:
        raise WeakPassword(f"This password is too long: use at most {MAX_LENGTH} characters.")
    if len(text) < min_length:
        raise WeakPassword(f"This password is too short: use at least {min_length} characters.")
    text = text.casefold()
    if _is_pattern(text):
        raise WeakPassword("This password only repeats or counts: choose another one.")
    forms = _forms(text)
    if not forms.isdisjoint(_personal_words(personal)):
        raise WeakPassword("This password is your address or your name: choose another one.")
    # In a thread: the list is long, and it is read when the first password is chosen.
    if not forms.isdisjoint(await to_thread.run_sync(_common)):
        raise WeakPassword("This password is one that is tried first: choose another one.")


def _is_pattern(text: str) -> bool:
    """`xyzxyzxyzxyz`, which holds no more than `xyz`; `abcdefghij`."""
    unit = (text + text).index(text, 1)
    return unit < min(MIN_LENGTH, len(text)) or len({ord(b) - ord(a) for a, b in pairwise(text)}) == 1


def _forms(text: str) -> set[str]:
    """The text, and what is left of it without the digits and signs around it, if that is most of it."""
    forms = {text, text.translate(_LOOKALIKES)}
    core = text.strip(_DECORATION)
    if len(core) * 2 >= len(text):
        forms |= {core, core.translate(_LOOKALIKES)}
    return forms


def _personal_words(personal: Iterable[str]) -> set[str]:
    words: set[str] = set()
    for entry in personal:
        text = normalized(entry).casefold().strip()
        words |= {text, text.replace(" ", ""), text.partition("@")[0]}
    return words


@cache
def _common() -> frozenset[str]:
    return frozenset(import_module("zxcvbn.frequency_lists").FREQUENCY_LISTS["passwords"])
