import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.testing import CapturingLogger
from structlog.typing import EventDict

from saas.kit.log import add_request, current_scope
from saas.web import middleware
from saas.web.headers import AnswerHeadersMiddleware
from saas.web.middleware import BodyLimitMiddleware, RequestContextMiddleware
from saas.web.problems import Conflict
from tests.unit.saas.access.world import BODY_LIMIT, World
from tests.unit.saas.web.asgi import call, scope


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EventDict]]:
    """What is logged, with what the context adds."""
    found: list[EventDict] = []

    def keep(_: Any, __: str, event: EventDict) -> EventDict:
        found.append(dict(event))
        raise structlog.DropEvent

    logger = structlog.wrap_logger(
        CapturingLogger(),
        processors=[add_request, structlog.stdlib.add_log_level, keep],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    monkeypatch.setattr(middleware, "log", logger)
    logging.getLogger(middleware.__name__).setLevel(logging.INFO)
    yield found
    logging.getLogger(middleware.__name__).setLevel(logging.NOTSET)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await Response(body)(scope, receive, send)


def failing(error: Exception) -> ASGIApp:
    async def app(*_: Any) -> None:
        raise error

    return app


def in_context(app: ASGIApp) -> ASGIApp:
    return AnswerHeadersMiddleware(RequestContextMiddleware(app), https=True)


async def test_a_request_gets_an_id_and_the_answer_tells_it() -> None:
    request = scope()
    _, headers, _ = await call(in_context(echo), request)
    assert re.fullmatch("[0-9a-f]{32}", headers["x-request-id"])
    assert request["request_id"] == headers["x-request-id"]


@pytest.mark.parametrize("given", ["abcdefgh", "0190c0de-0000-7000-8000-000000000000", "a.b_c-d" * 9])
async def test_a_sound_id_is_taken_over(given: str) -> None:
    _, headers, _ = await call(in_context(echo), scope(headers=[(b"x-request-id", given.encode())]))
    assert headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "short", "a" * 65, "with space", 'quote"quote', "ümläut-ümläut", "a\x00bcdefgh"])
async def test_any_other_id_is_replaced(given: str) -> None:
    _, headers, _ = await call(in_context(echo), scope(headers=[(b"x-request-id", given.encode())]))
    assert re.fullmatch("[0-9a-f]{32}", headers["x-request-id"])


async def test_one_line_is_logged_and_nothing_secret_is_in_it(lines: list[EventDict]) -> None:
    request = scope(
        "/api/%0Ax",
        query_string=b"access_token=SECRET",
        headers=[(b"authorization", b"Bearer SECRET"), (b"cookie", b"SECRET"), (b"x-request-id", b"request-1")],
    )
    await call(in_context(echo), request)
    (line,) = lines
    assert isinstance(line.pop("duration_ms"), float)
    assert line == {
        "event": "request",
        "level": "info",
        "request_id": "request-1",
        "method": "GET",
        "path": "/api/%0Ax",
        "status": 200,
        "tenant": None,
        "client": None,
    }


async def test_the_token_of_a_mailed_link_is_not_logged(lines: list[EventDict]) -> None:
    token = "aB3_-" * 8 + "xyz"
    for path in (f"/reset/{token}", f"/reset/{token}/", f"/a/{token}/b"):
        await call(in_context(echo), scope(path))
    assert [line["path"] for line in lines] == ["/reset/...", "/reset/.../", "/a/.../b"]
    await call(in_context(echo), scope("/api/v1/projects/0190c0de-0000-7000-8000-000000000000"))
    assert lines[-1]["path"].endswith("-000000000000")


async def test_the_line_names_tenant_and_client(world: World, lines: list[EventDict]) -> None:
    async with world.client(world.acme, await world.token(world.acme, client_id="app_9")) as client:
        await client.get("/api/v1/me?x=1")
    (line,) = lines
    assert (line["tenant"], line["client"], line["path"]) == (world.acme.slug, "app_9", "/api/v1/me")


async def test_nothing_is_logged_below_the_level(lines: list[EventDict]) -> None:
    logging.getLogger(middleware.__name__).setLevel(logging.WARNING)
    await call(in_context(echo), scope())
    assert lines == []


async def test_the_context_ends_with_the_request() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(current_scope.get())
        await echo(scope, receive, send)

    request = scope(headers=[(b"x-request-id", b"request-1")])
    await call(in_context(app), request)
    assert seen == [request]
    assert current_scope.get() is None


async def test_an_error_nobody_expected_is_logged_and_answered_without_a_word_of_it(lines: list[EventDict]) -> None:
    app = in_context(failing(ZeroDivisionError("the secret plan")))
    status, headers, body = await call(app, scope(headers=[(b"x-request-id", b"request-1")]))
    assert (status, headers["content-type"]) == (500, "application/problem+json")
    assert b"request-1" in body
    assert b"secret plan" not in body
    assert headers["x-request-id"] == "request-1"
    assert [line["event"] for line in lines] == ["A request failed", "request"]
    assert lines[0]["exc_info"]
    assert lines[1]["status"] == 500


async def test_an_error_that_is_known_is_answered_wherever_it_is_raised(lines: list[EventDict]) -> None:
    status, _, body = await call(in_context(failing(Conflict("taken"))), scope())
    assert (status, b"taken" in body) == (409, True)
    status, headers, _ = await call(in_context(failing(ConnectionRefusedError())), scope())
    assert (status, headers["retry-after"]) == (503, "1")
    assert {line["event"] for line in lines} == {"request"}


async def test_an_error_in_the_middle_of_an_answer_is_left_to_the_server(lines: list[EventDict]) -> None:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await call(in_context(app), scope())
    assert lines[-1]["status"] == 200


@pytest.mark.parametrize("https", [True, False])
async def test_every_answer_has_the_security_headers(https: bool) -> None:
    _, headers, _ = await call(AnswerHeadersMiddleware(echo, https=https), scope())
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert ("strict-transport-security" in headers) is https


async def test_an_answer_may_bring_its_own() -> None:
    page = PlainTextResponse("x", headers={"Content-Security-Policy": "default-src 'self'"})
    _, headers, _ = await call(AnswerHeadersMiddleware(page, https=False), scope())
    assert headers["content-security-policy"] == "default-src 'self'"
    assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("path", ["/api/v1/me", "/nowhere", "/docs"])
async def test_security_headers_stand_once_in_the_whole(world: World, path: str) -> None:
    async with world.client(world.acme) as client:
        answer = await client.get(path)
    for name in ("content-security-policy", "x-content-type-options", "x-frame-options", "x-request-id"):
        assert len(answer.headers.get_list(name)) == 1


@pytest.mark.parametrize(
    ("announced", "pieces", "status"),
    [
        (b"10", [b"x" * 10], 200),
        (b"11", [], 413),
        (b"99999999999999999999", [], 413),
        (None, [b"x" * 5, b"x" * 5], 200),
        (None, [b"x" * 5, b"x" * 6], 413),
        (None, [b"x" * 11], 413),
        (None, [b""] * 5, 200),
        (b"abc", [b"x" * 11], 413),
    ],
)
async def test_a_body_has_a_limit(announced: bytes | None, pieces: list[bytes], status: int) -> None:
    headers = [] if announced is None else [(b"content-length", announced)]
    app = in_context(BodyLimitMiddleware(echo, limit=10))
    got, answer, body = await call(app, scope(headers=headers), pieces)
    assert got == status
    if status == 413:
        assert answer["content-type"] == "application/problem+json"
        assert b"urn:saas:problem:body-too-large" in body


async def test_a_large_document_is_refused_in_the_whole(world: World) -> None:
    async def stream() -> Any:
        for _ in range(3):
            yield b" " * (BODY_LIMIT // 2)

    async with world.client(world.acme, await world.token(world.acme)) as client:
        announced = await client.post("/api/v1/projects", json={"name": "x" * BODY_LIMIT})
        streamed = await client.post("/api/v1/projects", content=stream(), headers={"Content-Type": "application/json"})
    for answer in (announced, streamed):
        assert answer.status_code == 413
        assert answer.json()["type"] == "urn:saas:problem:body-too-large"


async def test_other_protocols_pass_untouched() -> None:
    seen: list[str] = []

    async def app(scope: Scope, *_: Any) -> None:
        seen.append(scope["type"])

    stack = in_context(BodyLimitMiddleware(app, limit=1))

    async def nothing(*_: Any) -> Any: ...

    await stack({"type": "lifespan"}, nothing, nothing)
    assert seen == ["lifespan"]
