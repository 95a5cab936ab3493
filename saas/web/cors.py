"""Scripts of other origins (CORS, of the Fetch standard): what a single-page app needs to get tokens and to use them.

Any origin may ask, for what is asked here proves itself by what it sends: a code and its verifier, a token. No cookie
counts at these paths, and the answer never allows one to be sent (no Access-Control-Allow-Credentials), so a page that
calls them from a person's browser can do no more than its own server could. RFC 9700 section 2.6 allows it for such
endpoints, and forbids it for the authorization endpoint. Plain ASGI.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from saas.web.headers import add_headers

_ALLOW: Final = "Access-Control-Allow-Origin"
_EXPOSED: Final = ", ".join(
    (
        *("ETag", "Location", "WWW-Authenticate", "Retry-After", "RateLimit", "RateLimit-Policy"),
        *("X-Request-Id", "Idempotency-Replayed"),
    )
)
_OPENED: Final = ((_ALLOW.lower().encode(), b"*"), (b"access-control-expose-headers", _EXPOSED.encode()))
#: What a browser keeps of it for two hours, which is the most that Chrome does.
_PREFLIGHT: Final = {
    _ALLOW: "*",
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Tenant",
    "Access-Control-Max-Age": "7200",
    "Cache-Control": "no-store",
}


class CorsMiddleware:
    """For the paths that `is_open` says. A request without an Origin header passes as if this were not here."""

    def __init__(self, app: ASGIApp, is_open: Callable[[str], bool]) -> None:
        self.app = app
        self._is_open = is_open

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http" or not _has(scope, b"origin") or not self._is_open(scope["path"]):
            return self.app(scope, receive, send)
        if scope["method"] == "OPTIONS" and _has(scope, b"access-control-request-method"):
            return Response(status_code=204, headers=_PREFLIGHT)(scope, receive, send)
        add_headers(scope, _OPENED)
        return self.app(scope, receive, send)


def _has(scope: Scope, header: bytes) -> bool:
    return header in dict(scope["headers"])
