from collections.abc import MutableMapping
from datetime import timedelta
from typing import Any

import pytest

from tenants.errors import TenancyError
from tenants.lifecycle import rename
from tenants.middleware import ASGIApp, Receive, Scope, Send, TenantMiddleware
from tenants.registry import Tenant
from tenants.resolver import Resolver
from tests.unit.tenants.conftest import Process, new_slug

Headers = list[tuple[bytes, bytes]]


class App:
    """Remembers the scopes that reach it."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)


def answer(error: TenancyError) -> ASGIApp:
    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": error.status, "headers": []})
        await send({"type": "http.response.body", "body": str(error).encode()})

    return respond


@pytest.fixture
async def tenant(process: Process) -> Tenant:
    return await process.make()


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def middleware(process: Process, app: App) -> TenantMiddleware:
    resolver = Resolver(process.registry, frozenset({"api.example.com"}))
    return TenantMiddleware(app, resolver=resolver, on_error=answer, exempt={"/healthz"}.__contains__)


async def call(
    app: ASGIApp, headers: Headers, *, kind: str = "http", path: str = "/"
) -> list[MutableMapping[str, Any]]:
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": f"{kind}.connect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app({"type": kind, "path": path, "headers": headers}, receive, send)
    return sent


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_scope_gets_its_tenant(middleware: TenantMiddleware, app: App, tenant: Tenant, kind: str) -> None:
    assert await call(middleware, [(b"accept", b"*/*"), (b"host", tenant.host.encode())], kind=kind) == []
    api = [(b"x-tenant", tenant.slug.encode()), (b"host", b"api.example.com")]
    assert await call(middleware, api, kind=kind) == []
    assert [scope["tenant"] for scope in app.scopes] == [tenant, tenant]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 400),
        ([(b"host", b"acme.example.com"), (b"host", b"acme.example.com")], 400),
        ([(b"host", b"api.example.com"), (b"x-tenant", b"acme"), (b"x-tenant", b"acme")], 400),
        ([(b"host", b"\xff\xfe")], 400),
        ([(b"host", b"api.example.com"), (b"x-tenant", b"\xe9")], 400),
        ([(b"host", b"nobody.example.com")], 404),
        ([(b"host", b"api.example.com")], 404),
    ],
)
async def test_refused_requests_do_not_reach_the_app(
    middleware: TenantMiddleware, app: App, headers: Headers, status: int
) -> None:
    start, _body = await call(middleware, headers)
    assert start["status"] == status
    (closed,) = await call(middleware, headers, kind="websocket")
    assert (closed["type"], closed["code"]) == ("websocket.close", 1008)
    assert app.scopes == []


async def test_exempt_paths_and_other_scopes_pass_without_a_tenant(middleware: TenantMiddleware, app: App) -> None:
    await call(middleware, [], path="/healthz")
    await call(middleware, [], kind="lifespan")
    assert [("tenant" in scope) for scope in app.scopes] == [False, False]
    assert len(await call(middleware, [], path="/healthz/")) == 2


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ((b"/a%2Fb", b"x=1&y=%20"), b"/a%2Fb?x=1&y=%20"),
        ((None, b""), b"/a/b%20c"),
        ((b"@evil.example", b""), b"/"),
        ((b"*", b""), b"/"),
    ],
    ids=["as it is", "without a raw path", "another host", "no path"],
)
async def test_the_former_host_redirects(
    middleware: TenantMiddleware, app: App, process: Process, target: tuple[bytes | None, bytes], location: bytes
) -> None:
    tenant = await process.make()
    async with process.database.platform_session() as session:
        renamed = await rename(session, process.registry, tenant.slug, new_slug(), redirect_for=timedelta(days=1))
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"host", tenant.host.encode())]
    scope = {"type": "http", "path": "/a/b c", "raw_path": target[0], "query_string": target[1], "headers": headers}
    await middleware(scope, receive, send)
    start, body = sent
    assert (start["status"], body["body"]) == (308, b"")
    found = dict(start["headers"])
    assert found[b"location"] == renamed.issuer.encode() + location
    assert found[b"cache-control"] == b"no-store", "the host may be another tenant's one day"
    (closed,) = await call(middleware, headers, kind="websocket")
    assert closed["type"] == "websocket.close"
    assert app.scopes == []
