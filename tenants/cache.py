"""A bounded in-process cache of things that belong to tenants, negative answers included."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar
from uuid import UUID

K = TypeVar("K")
V = TypeVar("V")


class Cache(Generic[K, V]):
    """Least recently used entries go first; concurrent misses of one key load it once.

    `owner` says which tenant a found value belongs to. "Not found" belongs to nobody and is dropped by any change, so
    that what is created is seen at once. `lasts` says how many seconds a found value is good for, where that is less
    than `ttl`; None: it does not know. What was loading while a change arrived is handed to those who wait for it,
    but not kept.
    """

    def __init__(
        self,
        load: Callable[[K], Awaitable[V | None]],
        *,
        owner: Callable[[V], UUID],
        lasts: Callable[[V], float | None] | None = None,
        size: int = 10_000,
        ttl: float = 300.0,
        negative_size: int = 2_000,
        negative_ttl: float = 30.0,
    ) -> None:
        self._load = load
        self._owner = owner
        self._lasts = lasts
        self._size = size
        self._ttl = ttl
        self._negative_size = negative_size
        self._negative_ttl = negative_ttl
        self._found: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._missing: OrderedDict[K, float] = OrderedDict()
        self._keys_of: dict[UUID, set[K]] = {}
        self._loading: dict[K, asyncio.Task[V | None]] = {}
        self._generation = 0

    async def get(self, key: K) -> V | None:
        """The value, from memory or loaded; None where there is none. Errors of the loader are not kept."""
        entry = self._found.get(key)
        now = time.monotonic()
        if entry is not None and entry[0] > now:
            self._found.move_to_end(key)
            return entry[1]
        if self._missing.get(key, 0.0) > now:
            return None
        task = self._loading.get(key)
        if task is None:
            task = asyncio.create_task(self._fill(key))
            self._loading[key] = task
        # A caller that is cancelled must not cancel the load that others wait for.
        return await asyncio.shield(task)

    def drop(self, tenant_id: UUID | None) -> None:
        """Forget what belongs to the tenant (everything, for None), and every negative answer."""
        self._generation += 1
        self._loading.clear()
        self._missing.clear()
        if tenant_id is None:
            self._found.clear()
            self._keys_of.clear()
            return
        for key in self._keys_of.pop(tenant_id, ()):
            self._found.pop(key, None)

    async def _fill(self, key: K) -> V | None:
        generation = self._generation
        task = asyncio.current_task()
        try:
            value = await self._load(key)
            if generation == self._generation:
                self._keep(key, value)
            return value
        finally:
            if self._loading.get(key) is task:
                del self._loading[key]

    def _keep(self, key: K, value: V | None) -> None:
        now = time.monotonic()
        if value is None:
            self._missing[key] = now + self._negative_ttl
            if len(self._missing) > self._negative_size:
                self._missing.popitem(last=False)
            return
        self._forget(key)
        lasts = self._lasts and self._lasts(value)
        self._found[key] = (now + (self._ttl if lasts is None else min(self._ttl, lasts)), value)
        self._keys_of.setdefault(self._owner(value), set()).add(key)
        if len(self._found) > self._size:
            self._forget(next(iter(self._found)))

    def _forget(self, key: K) -> None:
        entry = self._found.pop(key, None)
        if entry is None:
            return
        tenant_id = self._owner(entry[1])
        keys = self._keys_of.get(tenant_id)
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._keys_of[tenant_id]
