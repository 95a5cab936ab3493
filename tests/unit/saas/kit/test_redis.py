import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from saas.kit.redis import Address, Channel, open_client
from tests.valkey import Valkey, run_valkey


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    with run_valkey() as running:
        yield running


@pytest.fixture
async def client(valkey: Valkey) -> AsyncIterator[Redis]:
    opened = open_client(valkey.url, 1)
    yield opened
    await opened.aclose()


async def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "It did not happen in time"
        await asyncio.sleep(0.005)


class TestClient:
    async def test_it_survives_a_restart_of_the_server(self, client: Redis, valkey: Valkey) -> None:
        await client.set("key", "value")
        valkey.kill()
        valkey.start()
        assert await client.get("key") is None

    async def test_a_server_that_does_not_answer_is_an_error_in_time(self, valkey: Valkey) -> None:
        client = open_client(valkey.url, 0.1)
        await client.ping()
        valkey.pause()
        started = time.monotonic()
        with pytest.raises(RedisError):
            await client.ping()
        assert time.monotonic() - started < 1
        valkey.resume()
        await client.aclose()


class TestAddress:
    def test_a_plain_address(self) -> None:
        address = Address.parse("redis://cache.example:6380")
        assert (address.host, address.port, address.path) == ("cache.example", 6380, "")
        assert address.tls is None
        assert address.greeting == ()

    def test_a_socket_with_a_database(self) -> None:
        address = Address.parse("unix:///run/valkey.sock?db=2")
        assert (address.path, address.greeting) == ("/run/valkey.sock", (("SELECT", "2"),))

    def test_credentials_and_tls(self) -> None:
        address = Address.parse("rediss://saas:p%40ss@cache.example/3")
        assert address.greeting == (("AUTH", "saas", "p@ss"), ("SELECT", "3"))
        assert address.tls is not None
        assert address.tls.verify_mode == ssl.CERT_REQUIRED
        assert address.tls.check_hostname

    def test_a_password_alone(self) -> None:
        assert Address.parse("redis://:secret@cache.example").greeting == (("AUTH", "secret"),)

    def test_another_scheme_is_refused(self) -> None:
        with pytest.raises(ValueError, match="scheme"):
            Address.parse("http://cache.example")


class TestChannel:
    async def test_what_is_published_is_heard(self, client: Redis) -> None:
        channel, heard = Channel(client, "changes"), list[bytes]()
        async with channel.listen(heard.append):
            await channel.publish(b"one")
            await channel.publish(b"two")
            await Channel(client, "other").publish(b"nothing")
            await eventually(lambda: len(heard) == 2)
        assert heard == [b"one", b"two"]

    async def test_after_the_block_nothing_is_heard_and_nothing_is_left(self, client: Redis) -> None:
        channel, heard = Channel(client, "changes"), list[bytes]()
        async with channel.listen(heard.append):
            pass
        await channel.publish(b"late")
        assert heard == []
        assert dict(await client.pubsub_numsub("changes")) == {b"changes": 0}

    async def test_a_listener_that_raises_hears_the_next_message(
        self, client: Redis, caplog: pytest.LogCaptureFixture
    ) -> None:
        heard: list[bytes] = []

        def listener(message: bytes) -> None:
            heard.append(message)
            if message == b"bad":
                raise ValueError(message)

        channel = Channel(client, "changes")
        async with channel.listen(listener):
            await channel.publish(b"bad")
            await channel.publish(b"good")
            await eventually(lambda: len(heard) == 2)
        assert "A message was not understood" in caplog.text

    async def test_it_listens_again_after_a_restart(self, client: Redis, valkey: Valkey) -> None:
        channel = Channel(client, "changes")
        async with channel.listen(lambda _: None), hearing(channel) as heard:
            valkey.kill()
            valkey.start()
            await publish_until(channel, heard)

    async def test_it_begins_without_a_server_and_hears_when_there_is_one(self, client: Redis, valkey: Valkey) -> None:
        valkey.kill()
        channel = Channel(client, "changes")
        async with hearing(channel) as heard:
            valkey.start()
            await publish_until(channel, heard)

    async def test_a_silent_server_is_asked_and_kept(self, client: Redis) -> None:
        channel = Channel(client, "changes", heartbeat=0.02)
        async with hearing(channel) as heard:
            before = await subscribers(client)
            await asyncio.sleep(0.2)
            await channel.publish(b"still here")
            await eventually(lambda: heard == [b"still here"])
            assert await subscribers(client) == before

    async def test_a_server_that_no_longer_answers_is_left(
        self, valkey: Valkey, caplog: pytest.LogCaptureFixture
    ) -> None:
        client = open_client(valkey.url, 0.1)
        channel = Channel(client, "changes", heartbeat=0.05)
        async with hearing(channel) as heard:
            valkey.pause()
            await eventually(lambda: "the server does not answer" in caplog.text)
            valkey.resume()
            await publish_until(channel, heard)
        await client.aclose()


@asynccontextmanager
async def hearing(channel: Channel) -> AsyncIterator[list[bytes]]:
    heard: list[bytes] = []
    async with channel.listen(heard.append):
        yield heard


async def subscribers(client: Redis) -> list[str]:
    """The addresses of the connections that subscribe: another connection has another."""
    return [found["id"] for found in await client.client_list() if found["sub"] == "1"]


async def publish_until(channel: Channel, heard: list[bytes]) -> None:
    deadline = time.monotonic() + 10
    while not heard:
        assert time.monotonic() < deadline, "It is not listening again"
        await channel.publish(b"hello")
        await asyncio.sleep(0.01)
