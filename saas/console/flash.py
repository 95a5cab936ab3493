"""What a form has done, said once by the page that comes after it: in a cookie, sealed for one browser session."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from starlette.requests import Request
from starlette.responses import Response

from saas.identity.cookies import clear_cookie, read_cookie, set_cookie
from saas.kit.crypto import Sealer, UnsealError

Kind = Literal["good", "info", "warn", "bad"]
_LIFETIME: Final = timedelta(minutes=1)
#: Characters; a cookie has at most 4096 bytes.
_MAX_TEXT: Final = 400


@dataclass(frozen=True, slots=True)
class Flash:
    kind: Kind
    text: str


def leave(request: Request, response: Response, text: str, kind: Kind = "good") -> None:
    """`text` is for people, and cut where it is long."""
    cut = text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…"
    sealed = _sealer(request).seal(json.dumps([kind, cut], ensure_ascii=False).encode(), _context(request))
    set_cookie(response, request.scope["tenant"], urlsafe_b64encode(sealed).decode(), _LIFETIME, "flash")


def find(request: Request) -> Flash | None:
    try:
        sealed = urlsafe_b64decode(read_cookie(request, "flash") or "")
        kind, text = json.loads(_sealer(request).open(sealed, _context(request)))
    except (ValueError, UnsealError):
        return None
    return Flash(kind, text)


def forget(request: Request, response: Response) -> None:
    clear_cookie(response, request.scope["tenant"], "flash")


def _sealer(request: Request) -> Sealer:
    sealer: Sealer = request.app.state.sealer
    return sealer


def _context(request: Request) -> bytes:
    return f"flash {request.scope['tenant'].id} {request.scope.get('session_id')}".encode()
