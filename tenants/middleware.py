"""Plain ASGI: a request gets its tenant, or its answer here."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from tenants.errors import MalformedTenant, TenancyError
from tenants.resolver import Resolver

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

#: RFC 6455 section 7.4.1: refused by policy. Before the handshake is done, the client sees 403.
_POLICY_VIOLATION: Final = 1008


class TenantMiddleware:
    """Puts the `Tenant` of an http or websocket request into `scope["tenant"]`.

    `on_error` makes the answer for a request that has none; paths for which `exempt` is true pass without a tenant.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        resolver: Resolver,
        on_error: Callable[[TenancyError], ASGIApp],
        exempt: Callable[[str], bool],
    ) -> None:
        self._app = app
        self._resolver = resolver
        self._on_error = on_error
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in {"http", "websocket"} or self._exempt(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            host, slug = _names(scope["headers"])
            scope["tenant"] = await self._resolver.resolve(host, slug)
        except TenancyError as error:
            if kind == "http":
                await self._on_error(error)(scope, receive, send)
            else:
                await receive()
                await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": error.title})
            return
        await self._app(scope, receive, send)


def _names(headers: list[tuple[bytes, bytes]]) -> tuple[str, str | None]:
    """The Host and X-Tenant headers. Raises MalformedTenant where either is there twice, or the first is not there."""
    host: bytes | None = None
    slug: bytes | None = None
    for name, value in headers:
        if name == b"host":
            if host is not None:
                raise MalformedTenant("Two Host headers: send one")
            host = value
        elif name == b"x-tenant":
            if slug is not None:
                raise MalformedTenant("Two X-Tenant headers: send one")
            slug = value
    if host is None:
        raise MalformedTenant("No Host header: send the address of a tenant or of the API")
    return host.decode("latin-1"), None if slug is None else slug.decode("latin-1")
