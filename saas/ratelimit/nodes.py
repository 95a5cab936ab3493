"""Which server counts whom: the one that there is, or the one of a cluster that holds the slot."""

import asyncio
import logging
import random
from binascii import crc_hqx
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from saas.kit.background import end
from saas.kit.redis import Address
from saas.ratelimit.breaker import Breaker
from saas.ratelimit.connection import ScriptConnection, ScriptError, Unavailable

log = logging.getLogger(__name__)

_SLOTS: Final = 16_384
#: Of one call: slots that move from node to node meanwhile.
_REDIRECTIONS: Final = 4
#: Seconds between two looks at who holds what.
_PAUSE: Final = 0.5


class Node:
    """A server, and whether it is given up."""

    __slots__ = ("breaker", "connection", "known_connection")

    def __init__(self, connection: ScriptConnection, breaker: Breaker) -> None:
        self.connection = connection
        self.breaker = breaker
        #: Which of its connections brought the last answer.
        self.known_connection = 0


class Nodes(Protocol):
    """A tag is what stands between the braces of a key."""

    @property
    def all(self) -> Sequence[Node]: ...
    def at(self, tag: str) -> Node: ...
    async def open(self) -> bool:
        """Connect; whether that worked."""

    async def close(self) -> None: ...
    async def follow(self, error: ScriptError, command: Callable[[ScriptConnection], Any]) -> Any:
        """The answer of the server that `error` points to. Raises `error` where it points to none."""

    def suspect(self) -> None:
        """A server failed: another one may hold its slots by now."""


class OneNode:
    def __init__(self, node: Node) -> None:
        self.all: Sequence[Node] = (node,)
        self._node = node

    def at(self, tag: str) -> Node:  # noqa: ARG002 - the protocol's
        return self._node

    async def open(self) -> bool:
        return await self._node.connection.open()

    async def close(self) -> None:
        await self._node.connection.close()

    async def follow(self, error: ScriptError, command: Callable[[ScriptConnection], Any]) -> Any:  # noqa: ARG002
        raise error

    def suspect(self) -> None:
        """There is no other."""


class Cluster:
    """Learns who holds which slots when it opens, is sent elsewhere (MOVED), or a node fails."""

    def __init__(self, start: Address, make: Callable[[Address], Node]) -> None:
        """`start` is any node."""
        self._start = start
        self._make = make
        first = make(start)
        self._nodes = {(start.host, start.port): first}
        self._holders = [first] * _SLOTS
        self._looking: asyncio.Task[None] | None = None
        self._known = False

    @property
    def all(self) -> Sequence[Node]:
        return tuple(self._nodes.values())

    def at(self, tag: str) -> Node:
        return self._holders[crc_hqx(tag.encode(), 0) % _SLOTS]

    async def open(self) -> bool:
        await self._look()
        return self._known

    async def close(self) -> None:
        if self._looking is not None:
            await end(self._looking)
        for node in self._nodes.values():
            await node.connection.close()

    def suspect(self) -> None:
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_later(), name="look at the cluster")

    async def follow(self, error: ScriptError, command: Callable[[ScriptConnection], Any]) -> Any:
        for _ in range(_REDIRECTIONS):
            kind, _, rest = str(error).partition(" ")
            if kind not in {"MOVED", "ASK"}:
                raise error
            slot, _, place = rest.partition(" ")
            host, _, port = place.rpartition(":")
            node = self._node(host, int(port))
            if kind == "MOVED":
                self._holders[int(slot)] = node
                self.suspect()
            else:
                # Goes out just before the command, in the same write.
                node.connection.command("ASKING").add_done_callback(_ignore)
            try:
                return await command(node.connection)
            except ScriptError as again:
                error = again
        raise error

    def _node(self, host: str, port: int) -> Node:
        """The node of an address; without a host (`cluster-preferred-endpoint-type`), on that which we asked."""
        place = (host or self._start.host, port)
        if place not in self._nodes:
            self._nodes[place] = self._make(replace(self._start, host=place[0], port=port))
        return self._nodes[place]

    async def _look_later(self) -> None:
        try:
            await self._look()
            await asyncio.sleep(_PAUSE)  # not more often than that
        finally:
            self._looking = None

    async def _look(self) -> None:
        nodes = random.sample(list(self._nodes.values()), len(self._nodes))
        for node in sorted(nodes, key=lambda node: node.breaker.is_open):
            try:
                ranges = await node.connection.command("CLUSTER", "SLOTS")
            except (Unavailable, ScriptError) as error:
                log.warning("A node does not say who holds which slots: %s", error)
                continue
            await self._learn(ranges)
            return

    async def _learn(self, ranges: list[Any]) -> None:
        holders = set()
        for first, last, primary, *_ in ranges:
            node = self._node((primary[0] or b"").decode(), primary[1])
            holders.add(node)
            self._holders[first : last + 1] = [node] * (last + 1 - first)
        self._known = bool(holders)
        start = (self._start.host, self._start.port)
        for place in [place for place, node in self._nodes.items() if node not in holders and place != start]:
            if self._nodes[place] not in self._holders:
                await self._nodes.pop(place).connection.close()


def _ignore(future: "asyncio.Future[Any]") -> None:
    """That it failed, the command after it tells too."""
    if not future.cancelled():
        future.exception()
