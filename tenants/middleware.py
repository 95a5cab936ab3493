"""Plain ASGI: a request gets its tenant, or its answer here."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import quote

from tenants.errors import MalformedTenant, TenancyError, TenantMoving, TenantRenamed
from tenants.registry import Tenant
from tenants.resolver import Resolver
from tenants.waiting import Waiting

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

#: RFC 6455 section 7.4.1: refused by policy. Before the handshake is done, the client sees 403.
_POLICY_VIOLATION: Final = 1008


class TenantMiddleware:
    """Puts the `Tenant` of an http or websocket request into `scope["tenant"]`.

    A request for a tenant that is being moved waits, as `waiting` allows; one for the former host of a renamed tenant
    is sent to the same path at its host. `on_error` makes the answer for any other that has no tenant; paths for which
    `exempt` is true pass without one.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        resolver: Resolver,
        on_error: Callable[[TenancyError], ASGIApp],
        exempt: Callable[[str], bool],
        waiting: Waiting | None = None,
    ) -> None:
        self._app = app
        self._resolver = resolver
        self._on_error = on_error
        self._exempt = exempt
        self._waiting = waiting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in {"http", "websocket"} or self._exempt(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            host, slug = _names(scope["headers"])
            try:
                scope["tenant"] = await self._resolver.resolve(host, slug)
            except TenantMoving as moving:
                scope["tenant"] = await self._waited(moving, host, slug)
        except TenancyError as error:
            if kind == "http" and isinstance(error, TenantRenamed):
                await _redirect(error, scope, send)
            elif kind == "http":
                await self._on_error(error)(scope, receive, send)
            else:
                await receive()
                await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": error.title})
            return
        await self._app(scope, receive, send)

    async def _waited(self, moving: TenantMoving, host: str, slug: str | None) -> Tenant:
        if self._waiting is None:
            raise moving
        return await self._waiting.until_served(moving, lambda: self._resolver.resolve(host, slug))


async def _redirect(renamed: TenantRenamed, scope: Scope, send: Send) -> None:
    """308: the same method, path and query. Not to be remembered, since the former host may be another's one day."""
    path = scope.get("raw_path") or quote(scope["path"]).encode()
    query = scope.get("query_string", b"")
    # Another form than /path would change the host: `@evil.example`.
    target = (path if path.startswith(b"/") else b"/") + (b"?" + query if query else b"")
    headers = [
        (b"location", renamed.address.encode() + target),
        (b"cache-control", b"no-store"),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": renamed.status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


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
