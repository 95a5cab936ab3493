"""The headers that every answer gets: those for security, and what other middleware adds. Plain ASGI."""

from collections.abc import Iterable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SECURITY: Final = (
    # For pages this is too strict: a route that answers with one sets its own policy.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000")

_ADDED: Final = "saas.answer_headers"
_STATUS: Final = "saas.answer_status"


def add_headers(scope: Scope, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """To the answer, whoever gives it, unless it brings them itself. Names are in lower case, and each is sent once.

    One middleware sends them all, since each that waits for answers to begin costs every request something.
    """
    scope.setdefault(_ADDED, {}).update(headers)


def status_of(scope: Scope) -> int | None:
    """Of the answer; None before it has begun."""
    status: int | None = scope.get(_STATUS)
    return status


class AnswerHeadersMiddleware:
    """Stands outside of all that use `add_headers`. `https` adds Strict-Transport-Security (RFC 6797)."""

    def __init__(self, app: ASGIApp, https: bool) -> None:
        self.app = app
        self._headers = dict((*_SECURITY, _HSTS) if https else _SECURITY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        added: dict[bytes, bytes] = self._headers.copy()
        scope[_ADDED] = added

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope[_STATUS] = message["status"]
                own = message.get("headers", ())
                for name, _ in own:
                    added.pop(name, None)
                message["headers"] = [*own, *added.items()]
            await send(message)

        await self.app(scope, receive, send_with_headers)
