"""Processes that hammer together admit what the limit says, and tenants do not notice each other."""

import asyncio
import json
import sys
import time
from uuid import uuid4

import pytest

from saas.ratelimit.decision import Limit, Rate
from saas.ratelimit.limiter import Limiter, Subject
from tests.unit.saas.ratelimit.conftest import PATIENT

SECONDS = 2
#: Of one minute, in requests; then at once.
AMOUNT, BURST = 12_000, 400
#: Eight processes from one, which imports for all of them. Prints of each process and tenant how many requests passed,
#: and when the first and the last was answered.
HAMMER = f"""
import asyncio, json, os, sys, time
from uuid import UUID
from saas.ratelimit.decision import Rate
from saas.ratelimit.limiter import Limiter, Subject
from saas.settings import LimitsSettings

async def hammer(limiter, tenant, until):
    passed, limits, first = 0, (Rate("minute", {AMOUNT}, {BURST}),), None
    while time.monotonic() < until:
        verdict = await limiter.check(Subject(tenant), limits)
        assert not verdict.degraded
        passed += verdict.allowed
        first = first or time.monotonic()
        if not verdict.allowed:
            await asyncio.sleep(0.002)
    return passed, first, time.monotonic()

async def main(number, until):
    # An app server's clock, minutes off: nothing that is shared asks it.
    real, real_ns, shift = time.time, time.time_ns, (number - 4) * 180
    time.time, time.time_ns = lambda: real() + shift, lambda: real_ns() + shift * 10**9
    limiter = Limiter(sys.argv[1], LimitsSettings(timeout=10))
    await limiter.open()
    passed = await asyncio.gather(*(hammer(limiter, UUID(tenant), until) for tenant in sys.argv[2:]))
    await limiter.close()
    return passed

ends, until = [], time.monotonic() + {SECONDS}
for number in range(8):
    read, write = os.pipe()
    if os.fork() == 0:
        os.write(write, json.dumps(asyncio.run(main(number, until))).encode())
        os._exit(0)
    os.close(write)
    ends.append(read)
print(json.dumps([json.loads(os.fdopen(end).read()) for end in ends]))
"""


async def test_eight_processes_admit_what_the_limit_says_of_each_tenant(valkey_url: str) -> None:
    tenants = [uuid4(), uuid4()]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HAMMER, valkey_url), *map(str, tenants), stdout=asyncio.subprocess.PIPE
    )
    processes = json.loads((await process.communicate())[0])
    assert len(processes) == 8
    limiter = Limiter(valkey_url, PATIENT)
    limits: tuple[Limit, ...] = (Rate("minute", AMOUNT, BURST),)
    for tenant, found in zip(tenants, zip(*processes, strict=True), strict=True):
        passed, first, last = zip(*found, strict=True)
        assert all(passed)
        assert sum(passed) <= BURST + AMOUNT / 60 * (max(last) - min(first)) + 0.02 * BURST
        # What was not asked for, on a busy test machine, is still there.
        left = (await limiter.check(Subject(tenant), limits)).standings[0].remaining
        elapsed = time.monotonic() - min(first)
        assert sum(passed) + 1 + left == pytest.approx(BURST + AMOUNT / 60 * elapsed, rel=0.02)
    # Somebody who begins now finds nothing used.
    assert (await limiter.check(Subject(uuid4()), limits)).standings[0].remaining == BURST - 1
    await limiter.close()
