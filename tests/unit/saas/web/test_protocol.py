import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from saas.web.protocol import HoldingTransport, OneWriteProtocol


class Recorder(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def write(self, data: Any) -> None:
        self.seen.append(bytes(data))

    def close(self) -> None:
        self.seen.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.seen


async def test_what_is_written_in_one_turn_of_the_loop_goes_out_in_one_piece() -> None:
    recorder = Recorder()
    held = HoldingTransport(recorder, asyncio.get_running_loop())
    for piece in (b"head ", b"body"):
        held.write(piece)
    assert recorder.seen == []
    await asyncio.sleep(0)
    held.write(b"next")
    await asyncio.sleep(0)
    assert recorder.seen == [b"head body", b"next"]


async def test_much_goes_out_at_once_and_all_of_it_before_the_end() -> None:
    recorder = Recorder()
    held = HoldingTransport(recorder, asyncio.get_running_loop())
    held.write(b"x" * 65_537)
    assert len(recorder.seen) == 1
    held.write(b"rest")
    held.close()
    await asyncio.sleep(0)
    assert recorder.seen[1:] == [b"rest", "closed"]


async def test_nothing_is_written_to_a_client_that_has_gone() -> None:
    recorder = Recorder()
    held = HoldingTransport(recorder, asyncio.get_running_loop())
    held.write(b"late")
    recorder.close()
    await asyncio.sleep(0)
    assert recorder.seen == ["closed"]


@asynccontextmanager
async def served(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """By a real server, with the protocol under test."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, http=OneWriteProtocol, ws="none", lifespan="off", log_level="critical")
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url) as client:
            yield client
        server.should_exit = True
        await running


async def test_answers_of_every_kind_arrive_whole() -> None:
    pieces = [bytes([65 + number % 26]) * 100_000 for number in range(40)]

    async def large(_: Request) -> Response:
        async def stream() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        return StreamingResponse(stream())

    async def small(request: Request) -> Response:
        return Response(await request.body(), status_code=200 if request.method == "POST" else 204)

    routes = [Route("/large", large), Route("/small", small, methods=["GET", "POST"])]
    async with served(Starlette(routes=routes)) as client:
        assert (await client.get("/large")).content == b"".join(pieces)
        assert (await client.post("/small", content=b"said")).content == b"said"
        assert (await client.get("/small")).status_code == 204
        assert (await client.head("/small")).content == b""
        last = await client.post("/small", content=b"bye", headers={"Connection": "close"})
        assert (last.content, last.headers["connection"]) == (b"bye", "close")
