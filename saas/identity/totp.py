"""Codes of an authenticator app (RFC 6238): six digits, thirty seconds, SHA-1, which is what every such app knows."""

import re
from datetime import datetime
from typing import Final

import segno
from markupsafe import Markup
from pyotp import TOTP, random_base32

from saas.kit.crypto import same

_SECONDS: Final = 30
#: Steps that a clock may be off, each way.
_DRIFT: Final = 1
_CODE: Final = re.compile(r"[0-9]{6}")
_BLANKS: Final = re.compile(r"[\s-]+")


def new_totp_secret() -> str:
    """160 random bits in base32, as RFC 4226 recommends."""
    return random_base32()


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """The time step that `code` belongs to, if it is one of those around `now`; blanks in it do not count."""
    code = _BLANKS.sub("", code)
    if not _CODE.fullmatch(code):
        return None
    totp, current, found = TOTP(secret), int(now.timestamp()) // _SECONDS, None
    for step in range(current - _DRIFT, current + _DRIFT + 1):
        if same(totp.generate_otp(step).encode(), code.encode()):
            found = step
    return found


def key_uri(secret: str, account: str, issuer: str) -> str:
    """The otpauth address that apps read."""
    return TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def qr_code(text: str) -> Markup:
    """`text` as an SVG element without size or style; black, on whatever is light behind it."""
    return Markup(segno.make(text, error="l", micro=False).svg_inline(omitsize=True, svgclass=None, lineclass=None))  # noqa: S704 - of modules alone


def in_groups(secret: str) -> str:
    """For people to read and type."""
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
