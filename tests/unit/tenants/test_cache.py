import asyncio
from collections import Counter
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from tenants.cache import Cache


@dataclass(frozen=True)
class Thing:
    owner: UUID
    text: str


class Source:
    """What the cache loads from; counts, and waits while `gate` is closed."""

    def __init__(self) -> None:
        self.things: dict[str, Thing] = {}
        self.loads: Counter[str] = Counter()
        self.gate = asyncio.Event()
        self.gate.set()
        self.started = asyncio.Semaphore(0)

    async def load(self, key: str) -> Thing | None:
        self.loads[key] += 1
        found = self.things.get(key)
        self.started.release()
        await self.gate.wait()
        return found

    def cache(self, *, size: int = 100, ttl: float = 60.0, negative_size: int = 100) -> Cache[str, Thing]:
        return Cache(self.load, owner=lambda thing: thing.owner, size=size, ttl=ttl, negative_size=negative_size)


async def test_found_and_missing_are_loaded_once() -> None:
    source = Source()
    source.things["a"] = Thing(uuid4(), "a")
    cache = source.cache()
    for _ in range(3):
        assert await cache.get("a") == source.things["a"]
        assert await cache.get("b") is None
    assert source.loads == {"a": 1, "b": 1}


async def test_concurrent_misses_load_once() -> None:
    source = Source()
    source.things["a"] = Thing(uuid4(), "a")
    source.gate.clear()
    cache = source.cache()
    waiting = [asyncio.create_task(cache.get("a")) for _ in range(10)]
    await source.started.acquire()
    waiting[0].cancel()
    source.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [source.things["a"]] * 9
    assert source.loads["a"] == 1


async def test_drop_forgets_one_tenant_and_all_that_was_missing() -> None:
    source = Source()
    ours, theirs = Thing(uuid4(), "ours"), Thing(uuid4(), "theirs")
    source.things = {"ours": ours, "also ours": ours, "theirs": theirs}
    cache = source.cache()
    keys = ("ours", "also ours", "theirs", "nobody's")
    for key in keys:
        await cache.get(key)
    cache.drop(ours.owner)
    for key in keys:
        await cache.get(key)
    assert source.loads == {"ours": 2, "also ours": 2, "theirs": 1, "nobody's": 2}
    cache.drop(None)
    await cache.get("theirs")
    assert source.loads["theirs"] == 2


async def test_what_loads_while_a_change_arrives_is_not_kept() -> None:
    source = Source()
    old, new = Thing(uuid4(), "old"), Thing(uuid4(), "new")
    source.things["a"] = old
    source.gate.clear()
    cache = source.cache()
    early = asyncio.create_task(cache.get("a"))
    await source.started.acquire()
    source.things["a"] = new
    cache.drop(old.owner)
    late = asyncio.create_task(cache.get("a"))
    await source.started.acquire()
    source.gate.set()
    assert await early == old
    assert await late == new
    assert await cache.get("a") == new


async def test_bounds() -> None:
    source = Source()
    source.things = {str(number): Thing(uuid4(), "") for number in range(5)}
    cache = source.cache(size=3, negative_size=2)
    for key in "01230":
        await cache.get(key)
    assert source.loads["0"] == 2  # pushed out by 3
    await cache.get("3")
    assert source.loads["3"] == 1
    for key in ("x", "y", "z", "x"):
        await cache.get(key)
    assert source.loads["x"] == 2


async def test_entries_expire() -> None:
    source = Source()
    source.things["a"] = Thing(uuid4(), "a")
    cache = source.cache(ttl=0.0)
    await cache.get("a")
    await cache.get("a")
    assert source.loads["a"] == 2


async def test_an_error_is_not_kept() -> None:
    calls = 0

    async def load(key: str) -> Thing | None:
        nonlocal calls
        calls += 1
        raise OSError(key)

    cache: Cache[str, Thing] = Cache(load, owner=lambda thing: thing.owner)
    for _ in range(2):
        with pytest.raises(OSError, match="a"):
            await cache.get("a")
    assert calls == 2
