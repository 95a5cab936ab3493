"""Limits that one process keeps by itself while Valkey is away."""

import time
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache

from saas.ratelimit.decision import Decision, Limit, Quota, Share, State, decide


class LocalStates:
    """Decides with this process's share of each limit, in bounded memory: the keys longest unused are forgotten."""

    def __init__(self, processes: int, size: int = 10_000) -> None:
        """`processes` is how many share the limits: each admits that part of them."""
        self._processes = processes
        self._size = size
        self._states: OrderedDict[str, State] = OrderedDict()

    def check(self, keys: Sequence[str], limits: tuple[Limit, ...], cost: int) -> Decision:
        shares = _shares(limits, self._processes)
        decision = decide(shares, [self._states.get(key) for key in keys], time.time_ns() // 1000, cost)
        for key, state in zip(keys, decision.states, strict=False):  # no states where the request is refused
            self._states[key] = state
            self._states.move_to_end(key)
        while len(self._states) > self._size:
            self._states.popitem(last=False)
        return decision

    def forget(self, prefix: str) -> None:
        for key in [key for key in self._states if key.startswith(prefix)]:
            del self._states[key]


@lru_cache(maxsize=256)
def _shares(limits: tuple[Limit, ...], processes: int) -> tuple[Share | Quota, ...]:
    return tuple(limit.share(processes) for limit in limits)
