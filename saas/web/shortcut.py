"""A way around the router for an endpoint that is asked all the time. Plain ASGI."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send


class ShortcutMiddleware:
    """Gives requests of one method and path to `endpoint` at once; all others go on.

    The router tries one route after the other, behind layers that handle errors and dependencies: for a short request
    that is a fifth of the work. Stands innermost. What `endpoint` raises is answered by `RequestContextMiddleware`.
    """

    def __init__(
        self, app: ASGIApp, method: str, path: str, endpoint: Callable[[Request], Awaitable[Response]]
    ) -> None:
        self.app = app
        self._method = method
        self._path = path
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == self._path and scope["method"] == self._method:
            response = await self._endpoint(Request(scope, receive))
            await response(scope, receive, send)
        else:
            await self.app(scope, receive, send)
