import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from unittest.mock import ANY

import pytest
import redis.asyncio
import uvloop

from saas.kit.redis import open_client
from saas.ratelimit.connection import ScriptConnection, ScriptError, Unavailable, _Call
from tests.processes import free_port
from tests.valkey import Valkey

ECHO = "return ARGV[1]"


@pytest.fixture
async def connection(valkey_url: str) -> AsyncIterator[ScriptConnection]:
    opened = ScriptConnection(valkey_url, ECHO, timeout=5)
    yield opened
    await opened.close()


@pytest.fixture
async def client(valkey_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    opened = open_client(valkey_url, 5)
    yield opened
    await opened.aclose()


async def connections(client: redis.asyncio.Redis) -> int:
    return len(await client.client_list())


async def test_each_caller_gets_its_own_answer(connection: ScriptConnection) -> None:
    answers = await asyncio.gather(*(connection.run(["k"], [number]) for number in range(1000)))
    assert answers == [b"%d" % number for number in range(1000)]


async def test_all_calls_share_one_connection(connection: ScriptConnection, client: redis.asyncio.Redis) -> None:
    await client.ping()
    before = await connections(client)
    await asyncio.gather(*(connection.run([], [number]) for number in range(100)))
    assert await connections(client) == before + 1


async def test_calls_of_the_same_moment_go_out_in_one_write_of_bounded_size(
    valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = ScriptConnection(valkey_url, ECHO, timeout=5, batch=40)
    await connection.open()
    link = connection._link
    assert link is not None
    sizes: list[int] = []
    send = link.send

    def counted(calls: Sequence[_Call]) -> None:
        sizes.append(len(calls))
        send(calls)

    monkeypatch.setattr(link, "send", counted)
    await asyncio.gather(*(connection.run([], [number]) for number in range(100)))
    assert sizes == [40, 40, 20]
    await connection.close()


async def test_a_script_that_the_server_has_forgotten_is_sent_again(
    connection: ScriptConnection, client: redis.asyncio.Redis
) -> None:
    await connection.run([], ["known"])
    await client.script_flush()
    answers = await asyncio.gather(*(connection.run([], [number]) for number in range(10)))
    assert sorted(answers) == [b"%d" % number for number in range(10)]


async def test_a_script_that_fails_says_so_and_harms_no_other(valkey_url: str) -> None:
    connection = ScriptConnection(valkey_url, 'return ARGV[1] == "bad" and redis.call("NOPE") or ARGV[1]', timeout=5)
    good, bad, after = (connection.run([], [word]) for word in ("good", "bad", "after"))
    assert (await good, await after) == (b"good", b"after")
    with pytest.raises(ScriptError):
        await bad
    await connection.close()


async def test_what_cannot_be_sent_harms_no_other(connection: ScriptConnection) -> None:
    good = connection.run([], ["good"])
    with pytest.raises(UnicodeEncodeError):
        connection.run([], ["\ud800"])
    assert await good == b"good"


async def test_a_cancelled_call_disturbs_no_other(connection: ScriptConnection) -> None:
    await connection.open()
    tasks = [asyncio.create_task(_ask(connection, number)) for number in range(300)]
    for number in range(0, 300, 3):
        tasks[number].cancel()  # before it runs
    await asyncio.sleep(0)
    for number in range(1, 300, 3):
        tasks[number].cancel()  # on its way
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert answers[2::3] == [b"%d" % number for number in range(2, 300, 3)]
    assert await connection.run([], ["after"]) == b"after"


async def test_a_call_cancelled_before_it_is_sent_is_not_sent(valkey_url: str, client: redis.asyncio.Redis) -> None:
    connection = ScriptConnection(valkey_url, 'return redis.call("INCR", KEYS[1])', timeout=5)
    await client.delete("counter")
    first, second = connection.run(["counter"], []), connection.run(["counter"], [])
    first.cancel()
    assert await second == 1
    await connection.close()


async def _ask(connection: ScriptConnection, number: int) -> bytes:
    answer: bytes = await connection.run([], [number])
    return answer


class TestFaults:
    async def test_a_late_answer_is_nobody_elses(self, own_valkey: Valkey) -> None:
        connection = ScriptConnection(own_valkey.url, ECHO, timeout=0.1)
        await connection.run([], ["warm"])
        own_valkey.pause()
        late = [connection.run([], [f"late {number}"]) for number in range(5)]
        results = await asyncio.gather(*late, return_exceptions=True)
        assert all(isinstance(result, Unavailable) for result in results)
        assert len(set(map(id, results))) == 1
        own_valkey.resume()
        for number in range(20):
            assert await connection.run([], [number]) == b"%d" % number
        await connection.close()

    async def test_a_call_waits_no_longer_than_the_timeout(self, own_valkey: Valkey) -> None:
        connection = ScriptConnection(own_valkey.url, ECHO, timeout=0.1)
        await connection.run([], ["warm"])
        own_valkey.pause()
        for _ in range(2):  # on a connection that stands, and on one that must be made
            started = time.monotonic()
            with pytest.raises(Unavailable):
                await connection.run([], ["late"])
            assert 0.1 <= time.monotonic() - started < 1
        own_valkey.resume()
        await connection.close()

    @pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
    def test_a_loop_that_was_busy_does_not_blame_the_server(
        self, valkey_url: str, loop: Callable[[], asyncio.AbstractEventLoop]
    ) -> None:
        async def ask() -> list[bytes]:
            connection = ScriptConnection(valkey_url, ECHO, timeout=0.1, connect_timeout=5)
            assert await connection.open()
            answers = []
            for turns in range(4):  # busy before it is sent, or after
                call = connection.run([], [turns])
                for _ in range(turns):
                    await asyncio.sleep(0)
                time.sleep(0.2)  # noqa: ASYNC251 - this is what is tested
                answers.append(await call)
            await connection.close()
            return answers

        with asyncio.Runner(loop_factory=loop) as runner:
            assert runner.run(ask()) == [b"0", b"1", b"2", b"3"]

    async def test_after_a_restart_it_connects_again(self, own_valkey: Valkey) -> None:
        connection = ScriptConnection(own_valkey.url, ECHO, timeout=5)
        assert await connection.run([], ["before"]) == b"before"
        own_valkey.kill()
        with pytest.raises(Unavailable):
            await connection.run([], ["gone"])
        own_valkey.start()
        assert await connection.run([], ["after"]) == b"after"
        await connection.close()

    async def test_what_is_under_way_fails_when_the_server_dies(self, own_valkey: Valkey) -> None:
        connection = ScriptConnection(own_valkey.url, ECHO, timeout=60)
        await connection.run([], ["warm"])
        own_valkey.pause()
        call = connection.run([], ["under way"])
        await asyncio.sleep(0.01)
        own_valkey.kill()
        with pytest.raises(Unavailable):
            await call
        await connection.close()

    async def test_what_speaks_another_protocol_is_refused(self) -> None:
        async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        port = free_port()
        async with await asyncio.start_server(talk, "127.0.0.1", port):
            connection = ScriptConnection(f"redis://127.0.0.1:{port}", ECHO, timeout=5)
            with pytest.raises(Unavailable, match="protocol"):
                await connection.run([], ["hello"])
            await connection.close()


class TestOpenAndClose:
    async def test_open_connects(self, valkey_url: str, client: redis.asyncio.Redis) -> None:
        await client.ping()
        before = await connections(client)
        connection = ScriptConnection(valkey_url, ECHO, timeout=5)
        assert await connection.open()
        assert await connections(client) == before + 1
        await connection.close()

    async def test_open_without_a_server_says_no(self) -> None:
        connection = ScriptConnection("unix:///nowhere/valkey.sock", ECHO, timeout=5)
        assert not await connection.open()
        with pytest.raises(Unavailable, match="Cannot connect"):
            await connection.run([], ["hello"])
        await connection.close()

    async def test_close_fails_what_is_under_way_and_what_comes_later(self, own_valkey: Valkey) -> None:
        connection = ScriptConnection(own_valkey.url, ECHO, timeout=60)
        await connection.open()
        own_valkey.pause()
        sent = connection.run([], ["sent"])
        await asyncio.sleep(0.01)
        waiting = connection.run([], ["waiting"])
        await connection.close()
        later = connection.run([], ["later"])
        results = await asyncio.gather(sent, waiting, later, return_exceptions=True)
        assert [type(result) for result in results] == [Unavailable] * 3
        own_valkey.resume()

    async def test_close_while_connecting(self, own_valkey: Valkey) -> None:
        connection = ScriptConnection(own_valkey.url, ECHO, timeout=60, connect_timeout=60)
        own_valkey.pause()
        call = connection.run([], ["hello"])
        await asyncio.sleep(0.01)
        await connection.close()
        with pytest.raises(Unavailable):
            await call
        own_valkey.resume()

    async def test_a_password_and_a_database_of_the_url_are_used(self, own_valkey: Valkey) -> None:
        client = open_client(own_valkey.url, 5)
        await client.config_set("requirepass", "it's secret")
        path = own_valkey.url.removeprefix("unix://")
        connection = ScriptConnection(
            f"unix://:it%27s%20secret@{path}?db=3", 'redis.call("SET", KEYS[1], ARGV[1]) return ARGV[1]', timeout=5
        )
        assert await connection.run(["key"], ["value"]) == b"value"
        refused = ScriptConnection(own_valkey.url, ECHO, timeout=5)
        with pytest.raises(Unavailable, match="NOAUTH"):
            await refused.run([], ["hello"])
        assert (await client.info("keyspace")) == {"db3": ANY}
        await refused.close()
        await connection.close()
        await client.aclose()
