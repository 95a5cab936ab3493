"""Limits that one process keeps by itself while Valkey is away, and what it has to tell afterwards."""

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from saas.ratelimit.decision import Concurrency, Decision, Limit, Quota, Share, State, decide

_HOUR = 3600


class Admitted(NamedTuple):
    """What this process let through of a quota, in its current window."""

    key: str
    quota: Quota
    window: int
    used: int


class LocalStates:
    """Decides with this process's share of each limit, in bounded memory: the keys longest unused are forgotten."""

    def __init__(self, processes: int, size: int = 10_000) -> None:
        """`processes` is how many share the limits: each admits that part of them."""
        self.processes = processes
        self._size = size
        self._states: OrderedDict[str, State] = OrderedDict()
        self._quotas: dict[str, Quota] = {}

    def check(self, keys: Sequence[str], limits: tuple[Limit, ...], cost: int) -> Decision:
        shares = _shares(limits, self.processes)
        decision = decide(shares, [self._states.get(key) for key in keys], time.time_ns() // 1000, cost)
        for key, limit, state in zip(keys, limits, decision.states, strict=False):  # no states where it is refused
            self._states[key] = state
            self._states.move_to_end(key)
            if type(limit) is Quota:
                self._quotas[key] = limit
        while len(self._states) > self._size:
            self._quotas.pop(self._states.popitem(last=False)[0], None)
        return decision

    def release(self, key: str) -> None:
        """A request that was under way has ended."""
        state = self._states.get(key)
        if state and state[0] > 1:
            self._states[key] = (state[0] - 1,)
        else:
            self._states.pop(key, None)

    def take_admitted(self) -> list[Admitted]:
        """What was let through of the quotas, once: it is forgotten here."""
        taken = []
        for key, quota in self._quotas.items():
            state = self._states.pop(key, None)
            if state:
                taken.append(Admitted(key, quota, state[0], state[1]))
        self._quotas.clear()
        return taken

    def forget(self, prefix: str) -> None:
        for key in [key for key in self._states if key.startswith(prefix)]:
            del self._states[key]
            self._quotas.pop(key, None)


class LocalUsage:
    """Counts as `check.lua` does, in bounded memory, what Valkey is to be told of when it is back."""

    def __init__(self, size: int = 100_000) -> None:
        self._size = size
        self._counts: dict[str, dict[str, int]] = {}
        self._fields = 0

    def add(self, key: str, counts: Mapping[str, int]) -> None:
        """`key` is a tenant's; `counts` are those of one client: `<client>:<name>`."""
        hour = int(time.time()) // _HOUR * _HOUR
        fields = self._counts.setdefault(key, {})
        for part, count in counts.items():
            name = f"{hour}:{part}"
            if name in fields:
                fields[name] += count
            elif self._fields < self._size:
                fields[name] = count
                self._fields += 1

    def take(self) -> dict[str, dict[str, int]]:
        """All counts by key, once: they are forgotten here."""
        taken, self._counts, self._fields = self._counts, {}, 0
        return taken


@lru_cache(maxsize=256)
def _shares(limits: tuple[Limit, ...], processes: int) -> tuple[Share | Quota | Concurrency, ...]:
    return tuple(limit.share(processes) for limit in limits)
