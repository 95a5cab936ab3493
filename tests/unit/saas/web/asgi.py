"""Talk ASGI to an application, below what an HTTP client allows."""

from collections.abc import Iterable
from typing import Any

from starlette.types import ASGIApp, Message, Scope


def scope(path: str = "/", *, headers: Iterable[tuple[bytes, bytes]] = (), **more: Any) -> Scope:
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": list(headers),
        "client": ("127.0.0.1", 1),
    } | more


async def call(app: ASGIApp, request: Scope, body: Iterable[bytes] = ()) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer; `body` is sent in these pieces."""
    pieces = list(body)
    sent: list[Message] = []

    async def receive() -> Message:
        piece = pieces.pop(0) if pieces else b""
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(request, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])
