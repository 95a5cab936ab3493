import asyncio
import socket

import pytest

from saas.kit.outbound import Outbound, OutboundError
from tests.unit.saas.oauth.receiver import Receiver, receiving


async def _post(outbound: Outbound, url: str) -> int:
    try:
        return await outbound.post_form(url, {"a": "1"})
    finally:
        await outbound.close()


async def test_a_form_is_sent_and_the_status_is_told() -> None:
    async with receiving(Receiver(status=204)) as receiver:
        assert await _post(Outbound(private=True), receiver.uri) == 204
        assert receiver.received == [{"a": ["1"]}]


@pytest.mark.parametrize(
    "url", ["http://example.com/", "http://127.0.0.1/", "ftp://example.com/", "file:///etc/passwd", "example.com", ""]
)
async def test_only_https_is_spoken(url: str) -> None:
    with pytest.raises(OutboundError, match="https"):
        await _post(Outbound(private=False), url)


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1",
            "localhost",
            "10.1.2.3",
            "192.168.0.1",
            "172.16.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
        ),
        *(
            "[::1]",
            "[fe80::1]",
            "[fd00::1]",
            "[::ffff:127.0.0.1]",
            "[2002:7f00:1::]",
            "[::]",
            "224.0.0.1",
            "2130706433",
        ),
    ],
)
async def test_no_address_inside_is_connected_to(host: str) -> None:
    async with receiving(Receiver()) as receiver:
        with pytest.raises(OutboundError, match="not a public address"):
            await _post(Outbound(private=False), f"https://{host}:{receiver.port}/")
        assert receiver.requests == []


async def test_a_name_that_leads_to_one_address_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        assert host == "rebinding.example"
        return [(socket.AF_INET, 1, 6, "", (address, port)) for address in ("93.184.215.14", "10.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    with pytest.raises(OutboundError, match="not a public address"):
        await _post(Outbound(private=False), "https://rebinding.example/")


async def test_redirects_are_not_followed_and_proxies_of_the_environment_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with receiving(Receiver(status=302, extra="Location: /other\r\n")) as receiver:
        assert await _post(Outbound(private=True), receiver.uri) == 302
        assert len(receiver.requests) == 1


async def test_who_does_not_answer_in_time_is_left() -> None:
    async with receiving(Receiver(delay=5)) as receiver:
        with pytest.raises(OutboundError, match=r"no answer in 0\.2 seconds"):
            await _post(Outbound(private=True, timeout=0.2), receiver.uri)


async def test_endless_headers_end_it() -> None:
    async with receiving(Receiver(extra="X: " + "a" * 200_000 + "\r\n")) as receiver:
        with pytest.raises(OutboundError):
            await _post(Outbound(private=True), receiver.uri)


async def test_who_is_not_there_is_told_of() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(OutboundError):
        await _post(Outbound(private=True), f"http://127.0.0.1:{port}/")
