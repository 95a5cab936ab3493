"""Requests under way: their leases are given back after the answer, many at a time, and nobody waits for it."""

import asyncio
import os
from itertools import count
from typing import Final

from saas.ratelimit.connection import ScriptError, Unavailable
from saas.ratelimit.nodes import Nodes

#: Seconds in which leases are collected: those of one turn of the event loop. Longer, and who asks one request after
#: the other would meet the lease of their last one.
_DELAY: Final = 0.0
#: Seconds until it is tried again where Valkey is given up.
_PAUSE: Final = 1.0
#: Leases to give back that are remembered while Valkey is away: the others end by themselves.
_MOST: Final = 10_000


class Leases:
    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._process = os.urandom(6).hex()
        self._numbers = count()
        self._ended: dict[tuple[str, str], list[str]] = {}
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def name(self) -> str:
        """Of a new lease; no other process has one of that name."""
        return f"{self._process}{next(self._numbers):x}"

    def end(self, tag: str, key: str, lease: str) -> None:
        if self._waiting >= _MOST:
            return
        self._waiting += 1
        self._ended.setdefault((tag, key), []).append(lease)
        self._soon(_DELAY)

    async def close(self) -> None:
        """Give back what there is to give back, if Valkey is there."""
        if self._timer is not None:
            self._timer.cancel()
            self._flush()
        await asyncio.gather(*self._tasks)
        if self._timer is not None:
            self._timer.cancel()

    def _soon(self, delay: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(delay, self._flush)

    def _flush(self) -> None:
        self._timer = None
        for tag, key in list(self._ended):
            if self._nodes.at(tag).breaker.is_open:
                self._soon(_PAUSE)
                continue
            leases = self._ended.pop((tag, key))
            self._waiting -= len(leases)
            task = asyncio.get_running_loop().create_task(self._give_back(tag, key, leases))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _give_back(self, tag: str, key: str, leases: list[str]) -> None:
        connection = self._nodes.at(tag).connection
        try:
            try:
                await connection.command("ZREM", key, *leases)
            except ScriptError as error:
                await self._nodes.follow(error, lambda other: other.command("ZREM", key, *leases))
        except (ScriptError, Unavailable):
            if self._waiting < _MOST:
                self._waiting += len(leases)
                self._ended.setdefault((tag, key), []).extend(leases)
                self._soon(_PAUSE)
