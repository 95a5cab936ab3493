"""Valkey or Redis: opening a client, a raw connection, and a pub/sub channel that survives lost connections."""

import asyncio
import logging
import random
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from redis.asyncio import Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.client import PubSub
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.connection import Connection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException, RedisError

from saas.kit.background import end

log = logging.getLogger(__name__)

#: Seconds between attempts to subscribe again: doubled from the first to the last, each shortened at random.
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_SCAN_COUNT: Final = 1000

P = TypeVar("P", bound=asyncio.Protocol)


def open_client(url: str, timeout: float, *, cluster: bool = False) -> Redis:
    """A client with its own pool; it connects when it is first used.

    `url` is `redis://`, `rediss://` or `unix://`; of a `cluster`, that of any node. `timeout` is in seconds, for
    connecting and for each answer. A command that meets a closed connection is tried once more.
    """
    if cluster:
        found = _Cluster.from_url(
            url,
            protocol=2,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        )
        return cast("Redis", found)  # what we use, both have: commands of one slot, pipelines, pub/sub
    return Redis.from_url(
        url,
        protocol=2,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    )


class _Cluster(RedisCluster):
    """Fails like other clients: for redis-py, a cluster that does not answer at all is no RedisError."""

    async def initialize(self, *hints: Any, **options: Any) -> "_Cluster":
        try:
            await super().initialize(*hints, **options)
        except RedisClusterException as error:
            raise RedisConnectionError(str(error)) from error
        return self


async def tenant_keys(client: Redis, prefix: str) -> AsyncIterator[list[bytes]]:
    """The keys that begin with `prefix`, all of one slot, a batch at a time. Raises RedisError."""
    where: dict[str, Any] = {}
    if isinstance(client, RedisCluster):
        await client.initialize()
        where["target_nodes"] = client.get_node_from_key(prefix)
    cursor = -1
    while cursor != 0:
        found: Any = await client.scan(max(cursor, 0), match=f"{prefix}*", count=_SCAN_COUNT, **where)
        cursor, keys = found
        if where:
            cursor = cursor[where["target_nodes"].name]
        if keys:
            yield keys


@dataclass(frozen=True, slots=True)
class Address:
    """Where a URL leads, for those who speak the protocol on a connection of their own."""

    host: str
    port: int
    path: str
    tls: ssl.SSLContext | None
    #: Commands that a new connection must begin with: AUTH and SELECT, as far as the URL asks for them.
    greeting: tuple[tuple[str, ...], ...]

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Understands the URLs of `open_client`, and raises ValueError for others."""
        connection = ConnectionPool.from_url(url).make_connection()  # type: ignore[no-untyped-call]  # redis has no annotation
        greeting: list[tuple[str, ...]] = []
        if connection.password:
            user = (connection.username,) if connection.username else ()
            greeting.append(("AUTH", *user, connection.password))
        if connection.db:
            greeting.append(("SELECT", str(connection.db)))
        path = connection.path if isinstance(connection, UnixDomainSocketConnection) else ""
        tls = connection.ssl_context.get() if isinstance(connection, SSLConnection) else None
        host, port = (connection.host, connection.port) if isinstance(connection, Connection) else ("", 0)
        return cls(host, port, path, tls, tuple(greeting))

    async def connect(self, factory: Callable[[], P]) -> P:
        """Raises OSError."""
        loop = asyncio.get_running_loop()
        if self.path:
            return (await loop.create_unix_connection(factory, self.path))[1]
        return (await loop.create_connection(factory, self.host, self.port, ssl=self.tls))[1]


class Channel:
    """A pub/sub channel. Messages may be lost: while a listener reconnects, for one."""

    def __init__(self, client: Redis, name: str, *, heartbeat: float = 10.0) -> None:
        """`heartbeat` is the silence, in seconds, after which a listener asks whether the server is still there."""
        self._client = client
        self._name = name
        self._heartbeat = heartbeat

    async def publish(self, message: bytes) -> None:
        """Raises RedisError."""
        await self._client.publish(self._name, message)

    @asynccontextmanager
    async def listen(self, on_message: Callable[[bytes], None]) -> AsyncIterator[None]:
        """Call `on_message` with each message while the block runs.

        The block begins when the first attempt to subscribe has succeeded or failed; a failed or lost subscription is
        made again until the block ends. What `on_message` raises is logged.
        """
        tried = asyncio.Event()
        task = asyncio.create_task(self._keep_listening(on_message, tried), name=f"listen {self._name}")
        try:
            await tried.wait()
            yield
        finally:
            await end(task)

    async def _keep_listening(self, on_message: Callable[[bytes], None], tried: asyncio.Event) -> None:
        pause = _FIRST_PAUSE
        while True:
            subscription = self._client.pubsub()
            try:
                if isinstance(self._client, RedisCluster):
                    await self._client.initialize()  # a subscription does not ask where the nodes are
                await subscription.subscribe(self._name)
                tried.set()
                pause = _FIRST_PAUSE
                async for message in self._messages(subscription):
                    _deliver(on_message, message)
            except (RedisError, OSError) as error:
                log.warning("Not listening on %s, trying again: %s", self._name, error)
            finally:
                tried.set()
                await subscription.aclose()  # type: ignore[no-untyped-call]  # redis has no annotation
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads load, keeps no secret
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _messages(self, subscription: PubSub) -> AsyncIterator[bytes]:
        """Raises RedisConnectionError when the server is silent even if asked."""
        asked = False
        while True:
            message = await subscription.get_message(timeout=self._heartbeat)
            if message is not None:
                asked = False
                if message["type"] == "message":
                    yield message["data"]
            elif asked:
                raise RedisConnectionError("the server does not answer")
            else:
                await subscription.ping()
                asked = True


def _deliver(on_message: Callable[[bytes], None], message: bytes) -> None:
    try:
        on_message(message)
    except Exception:
        log.exception("A message was not understood")
