"""Errors in words: a person who opens an address gets a page where a program gets problem+json. Plain ASGI."""

import json
from collections.abc import Awaitable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from saas.web.pages import error_page
from saas.web.problems import PROBLEM_TYPE

#: What is wrong, and what to do; by the kind of problem, else by status.
_BY_KIND: Final = {
    "unknown-tenant": ("There is nothing at this address", "Check the address: it may be mistyped."),
    "tenant-suspended": ("This is closed at the moment", "Ask the people who run it."),
    "tenant-moving": ("This is back in a moment", "Reload the page in a few seconds."),
    "tenant-not-ready": ("This is not ready yet", "Try again in a few minutes."),
}
_BY_STATUS: Final = {
    404: ("This page does not exist", "Check the address: it may be mistyped, or out of date."),
    413: ("That is too large", "Go back, and send less at a time."),
    429: ("That was too often", "Wait a little, and try again."),
    503: ("This does not work at the moment", "Try again in a moment."),
}
_OURS: Final = ("Something went wrong here", "Try again in a moment. If it happens again, ask for help.")
_THEIRS: Final = ("That did not work", "Go back, reload the page, and try again.")
_SERVER_ERROR: Final = 500


class ErrorPagesMiddleware:
    """Turns problem+json into a page for whoever accepts HTML, except below `api_prefix`.

    Stands outside of what sets the request's id and its tenant, and inside of what adds headers to every answer.
    """

    def __init__(self, app: ASGIApp, api_prefix: str) -> None:
        self.app = app
        self._api = f"{api_prefix}/"

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http" or scope["path"].startswith(self._api) or not _wants_page(scope):
            return self.app(scope, receive, send)
        return self._in_words(scope, receive, send)

    async def _in_words(self, scope: Scope, receive: Receive, send: Send) -> None:
        started: Message | None = None
        problem = b""

        async def send_page(message: Message) -> None:
            nonlocal started, problem
            if message["type"] == "http.response.start" and _is_problem(message):
                started = message
            elif started is None:
                await send(message)
            else:
                problem += message.get("body", b"")
                if not message.get("more_body", False):
                    await _send_page(scope, receive, send, started, problem)

        await self.app(scope, receive, send_page)


async def _send_page(scope: Scope, receive: Receive, send: Send, started: Message, problem: bytes) -> None:
    """With the headers that the problem came with, such as Retry-After, where the page has none of its own."""
    status: int = started["status"]
    document = json.loads(problem) if problem else {}
    kind = str(document.get("type", "")).rpartition(":")[2]
    words = _BY_KIND.get(kind) or _BY_STATUS.get(status) or (_OURS if status >= _SERVER_ERROR else _THEIRS)
    page = error_page(scope, status, *words, reason=document.get("reason"))
    own = {name for name, _ in page.raw_headers}
    page.raw_headers.extend(header for header in started["headers"] if header[0] not in own)
    await page(scope, receive, send)


def _is_problem(message: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(PROBLEM_TYPE.encode()) for name, value in message["headers"]
    )


def _wants_page(scope: Scope) -> bool:
    """What browsers send when a person opens an address; scripts and programs do not, unless they ask for it."""
    return b"text/html" in dict(scope["headers"]).get(b"accept", b"")
