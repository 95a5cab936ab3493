"""What a server's limiter does beside the requests: it counts who else is there, and notices an empty Valkey."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from redis.exceptions import RedisError

from saas.kit.background import end
from saas.kit.metrics import Metrics
from saas.ratelimit.limiter import Limiter

log = logging.getLogger(__name__)

#: Seconds between two signs of life, and after which a process without one counts as gone.
_INTERVAL: Final = 5.0
_GONE: Final = 16
#: In Valkey, the tenants whose usage was counted, by when a server said so last: microseconds of Valkey's clock.
SERVED: Final = "{saas:limits}:served"
#: The braces keep all keys in one slot. By the server's clock: those of our machines may differ by minutes.
_KEYS: Final = ("{saas:limits}:processes", "{saas:limits}:since", SERVED)
_SCRIPT: Final = """
local time = redis.call("TIME")
local now = tonumber(time[1])
redis.call("ZADD", KEYS[1], now, ARGV[1])
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now - tonumber(ARGV[2]))
redis.call("SET", KEYS[2], now, "NX")
local at = string.format("%.0f", now * 1000000 + time[2])
for i = 3, #ARGV do redis.call("ZADD", KEYS[3], at, ARGV[i]) end
return {redis.call("ZCARD", KEYS[1]), now - tonumber(redis.call("GET", KEYS[2]))}
"""


@asynccontextmanager
async def kept_up(limiter: Limiter, metrics: Metrics, *, token_lifetime: int) -> AsyncIterator[None]:
    """While the block runs, `limiter` knows how many processes share the limits without Valkey, and `metrics` shows
    how it fares. Where Valkey began empty less than `token_lifetime` seconds ago, it is told what is revoked. It is
    also told who was served.
    """
    _show(limiter, metrics)
    youngest = float("inf")
    process = os.urandom(8).hex()
    await limiter.open()

    async def look() -> None:
        served = tuple(limiter.served)
        limiter.served.clear()  # before it is told: who is served meanwhile is to be told of again
        try:
            found = await limiter.client.eval(_SCRIPT, len(_KEYS), *_KEYS, process, _GONE, *served)
        except (RedisError, OSError):
            limiter.served.update(served)
            return  # what was known last is what counts then
        nonlocal youngest
        processes, age = found
        limiter.local.processes = max(limiter.least_processes, processes)
        if age < min(youngest, token_lifetime):
            limiter.recovery.doubt()
        youngest = age

    async def look_forever() -> None:
        while True:
            await asyncio.sleep(_INTERVAL)
            await look()

    await look()
    task = asyncio.create_task(look_forever(), name="count the processes")
    try:
        yield
    finally:
        await end(task)
        await look()


def _show(limiter: Limiter, metrics: Metrics) -> None:
    metrics.gauge(
        "saas_limiter_degraded", "1 while Valkey is given up and this process decides alone", lambda: limiter.degraded
    )
    metrics.gauge(
        "saas_limiter_processes", "Processes that share the limits without Valkey", lambda: limiter.local.processes
    )
    metrics.counters("saas_limiter_checks", "Checks by what came of them", "outcome", lambda: dict(limiter.counts))
