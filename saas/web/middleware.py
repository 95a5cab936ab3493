"""What every request passes: its id and its log line, a limit on its body. Plain ASGI."""

import logging
import random
import re
import time
from collections.abc import Awaitable
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from saas.kit.log import current_scope
from saas.web.errors import render_error, render_unexpected
from saas.web.headers import add_headers, status_of
from saas.web.problems import BodyTooLarge, render_problem

log = structlog.get_logger(__name__)
_level = logging.getLogger(__name__)

#: What we take over as a request id; anything else is replaced, since it ends up in logs and answers.
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{8,64}")
#: In a path: the token of a mailed link, say. Who reads logs must not be able to use it.
_SECRET_PART: Final = re.compile(r"(?<=/)[A-Za-z0-9_-]{40,}")


class RequestContextMiddleware:
    """Gives the request an id, `scope["request_id"]`; logs one line when it ends; answers errors nobody else took.

    The line and the id say nothing that is secret: no query string, no header, no body, no token in a path. Stands
    inside of `AnswerHeadersMiddleware`, which knows whether an answer has begun.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope["request_id"] = request_id.decode()
        add_headers(scope, ((b"x-request-id", request_id),))
        started = time.perf_counter()
        token = current_scope.set(scope)
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            response = render_error(error)
            if response is None:
                log.exception("A request failed")
                response = render_unexpected(scope["request_id"])
            if status_of(scope) is not None:
                raise  # too late for another answer: the server closes the connection
            await response(scope, receive, send)
        finally:
            if _level.isEnabledFor(logging.INFO):
                _log_request(scope, time.perf_counter() - started)
            current_scope.reset(token)


class BodyLimitMiddleware:
    """Answers 413 to a body of more than `limit` bytes: at once where it is announced, else when it is reached."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self._limit = limit
        self._problem = BodyTooLarge(f"A body may have {limit} bytes")

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self.app(scope, receive, send)
        announced = _content_length(scope)
        if announced is None:
            return self.app(scope, self._counted(receive), send)
        if announced <= self._limit:  # the server holds a client to the length that it announced
            return self.app(scope, receive, send)
        return render_problem(self._problem)(scope, receive, send)

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
    return b"%032x" % random.getrandbits(128)  # no secret: it may be guessed


def _content_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None


def _log_request(scope: Scope, seconds: float) -> None:
    log.info(
        "request",
        method=scope["method"],
        # Percent-encoded, as it came: nobody writes a line of their own into the log.
        path=_SECRET_PART.sub("...", scope.get("raw_path", b"").decode("latin-1") or scope["path"]),
        status=status_of(scope),
        duration_ms=round(seconds * 1000, 2),
    )
