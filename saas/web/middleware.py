"""What every request passes: its id and its log line, security headers, a limit on its body. Plain ASGI."""

import logging
import os
import re
import time
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from saas.kit.log import current_scope
from saas.web.errors import render_error, render_unexpected
from saas.web.problems import BodyTooLarge, render_problem

log = structlog.get_logger(__name__)
_level = logging.getLogger(__name__)

#: What we take over as a request id; anything else is replaced, since it ends up in logs and answers.
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{8,64}")
#: In a path: the token of a mailed link, say. Who reads logs must not be able to use it.
_SECRET_PART: Final = re.compile(r"(?<=/)[A-Za-z0-9_-]{40,}")

_SECURITY_HEADERS: Final = (
    # For pages this is too strict: a route that answers with one sets its own policy.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000")


class RequestContextMiddleware:
    """Gives the request an id, `scope["request_id"]`; logs one line when it ends; answers errors nobody else took.

    The line and the id say nothing that is secret: no query string, no header, no body, no token in a path.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope["request_id"] = request_id.decode()
        status: int | None = None
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id)]
            await send(message)

        token = current_scope.set(scope)
        try:
            await self.app(scope, receive, send_with_id)
        except Exception as error:
            response = render_error(error)
            if response is None:
                log.exception("A request failed")
                response = render_unexpected(scope["request_id"])
            if status is not None:
                raise  # too late for another answer: the server closes the connection
            await response(scope, receive, send_with_id)
        finally:
            if _level.isEnabledFor(logging.INFO):
                _log_request(scope, status, time.perf_counter() - started)
            current_scope.reset(token)


class SecurityHeadersMiddleware:
    """Adds the headers that an answer does not bring itself. `https` adds Strict-Transport-Security (RFC 6797)."""

    def __init__(self, app: ASGIApp, https: bool) -> None:
        self.app = app
        self._headers = (*_SECURITY_HEADERS, _HSTS) if https else _SECURITY_HEADERS
        self._names = frozenset(name for name, _ in self._headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                present = self._names.intersection([name for name, _ in headers])
                added = [header for header in self._headers if header[0] not in present] if present else self._headers
                message["headers"] = [*headers, *added]
            await send(message)

        await self.app(scope, receive, send_with_headers)


class BodyLimitMiddleware:
    """Answers 413 to a body of more than `limit` bytes: at once where it is announced, else when it is reached."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self._limit = limit
        self._problem = BodyTooLarge(f"A body may have {limit} bytes")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = _content_length(scope)
        if announced is None:
            await self.app(scope, self._counted(receive), send)
        elif announced <= self._limit:  # the server holds a client to the length that it announced
            await self.app(scope, receive, send)
        else:
            await render_problem(self._problem)(scope, receive, send)

    def _counted(self, receive: Receive) -> Receive:
        left = self._limit

        async def receive_within_limit() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                # FastAPI turns other errors that come up while it reads a body into an answer of its own.
                raise HTTPException(self._problem.status, self._problem.detail)
            return message

        return receive_within_limit


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            accepted: bytes = value
            return accepted
    return os.urandom(16).hex().encode()


def _content_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None


def _log_request(scope: Scope, status: int | None, seconds: float) -> None:
    log.info(
        "request",
        method=scope["method"],
        # Percent-encoded, as it came: nobody writes a line of their own into the log.
        path=_SECRET_PART.sub("...", scope.get("raw_path", b"").decode("latin-1") or scope["path"]),
        status=status,
        duration_ms=round(seconds * 1000, 2),
    )
