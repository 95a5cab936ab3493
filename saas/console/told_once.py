"""An app's new secret, from the form that made it to the one page that shows it: in a cookie, sealed for this browser's
session and this app. A reload sends no form again, and shows nothing any more."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from saas.identity.cookies import clear_cookie, read_cookie, set_cookie
from saas.kit.crypto import UnsealError

_LIFETIME: Final = timedelta(minutes=1)


def leave_secret(request: Request, response: Response, client_id: str, secret: str) -> None:
    sealed = request.app.state.sealer.seal(json.dumps([client_id, secret]).encode(), _context(request))
    set_cookie(response, request.scope["tenant"], urlsafe_b64encode(sealed).decode(), _LIFETIME, "secret")


def find_secret(request: Request, client_id: str) -> str | None:
    """That of this client, if it is the one that was left."""
    try:
        sealed = urlsafe_b64decode(read_cookie(request, "secret") or "")
        owner, secret = json.loads(request.app.state.sealer.open(sealed, _context(request)))
    except (ValueError, UnsealError):
        return None
    return str(secret) if owner == client_id else None


def forget_secret(request: Request, response: Response) -> None:
    clear_cookie(response, request.scope["tenant"], "secret")


def _context(request: Request) -> bytes:
    return f"app secret {request.scope['tenant'].id} {request.scope.get('session_id')}".encode()
