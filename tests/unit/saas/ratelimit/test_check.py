"""The script against the pure decision: the same verdicts, remaining, resets and waits, whatever the time."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saas.ratelimit.decision import LEASE, MAX_COST, SECOND, Concurrency, Limit, Quota, Rate, State, decide
from saas.ratelimit.limiter import SCRIPT

EARLIEST = int(datetime(1971, 1, 1, tzinfo=UTC).timestamp()) * SECOND
LATEST = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp()) * SECOND

rates = st.builds(
    Rate,
    st.just("rate"),
    st.integers(1, 1000) | st.integers(1, 10**9),
    st.integers(1, 100) | st.integers(1, 40_000_000),
    st.sampled_from([1, 60]),
)
quotas = st.builds(
    Quota, st.just("quota"), st.integers(1, 20) | st.integers(1, 10**9), st.sampled_from(["day", "month"])
)
concurrencies = st.builds(Concurrency, st.just("running"), st.integers(1, 4))
plans = st.tuples(rates, quotas, rates, concurrencies)
Plan = tuple[Rate, Quota, Rate, Concurrency]
gaps = st.integers(0, 5 * SECOND) | st.integers(-SECOND, 40 * 86_400 * SECOND) | st.just(0)
costs = st.just(1) | st.integers(1, MAX_COST)


class Script:
    """The script on a clock that the test sets: its one TIME call reads a key instead."""

    def __init__(self, url: str) -> None:
        self.client: redis.Redis = redis.Redis.from_url(url, protocol=2)
        assert SCRIPT.count('call("TIME")') == 1
        self._digest = self.client.script_load(SCRIPT.replace('call("TIME")', 'call("LRANGE", "clock", 0, 1)'))

    def check(
        self,
        keys: list[str],
        limits: tuple[Limit, ...],
        now: int,
        cost: int,
        *,
        shadow: str = "",
        lease: str = "",
        usage: tuple[str, ...] = (),
    ) -> list[int]:
        packed = b"".join(limit.packed for limit in limits)
        with self.client.pipeline() as pipeline:
            pipeline.delete("clock")
            pipeline.rpush("clock", now // SECOND, now % SECOND)
            pipeline.evalsha(self._digest, len(keys), *keys, cost, len(limits), shadow, lease, packed, *usage)
            answer: list[int] = pipeline.execute()[-1]
        return answer


@pytest.fixture(scope="module")
def script(valkey_url: str) -> Iterator[Script]:
    opened = Script(valkey_url)
    yield opened
    opened.client.close()


def names(limits: tuple[Limit, ...]) -> list[str]:
    tag = uuid4().hex
    return [f"{{{tag}}}:{position}" for position in range(len(limits))]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(plans, min_size=1, max_size=2),
    st.integers(EARLIEST, LATEST),
    st.lists(st.tuples(gaps, st.integers(0, 1), costs, st.integers(0, 3), st.booleans()), min_size=1, max_size=25),
)
def test_the_script_decides_like_the_pure_decision(
    script: Script,
    versions: list[Plan],
    now: int,
    steps: list[tuple[int, int, int, int, bool]],
) -> None:
    """Of all kinds of limits together, in the shadow or not, with requests that end, and usage counted."""
    keys = names(versions[0])
    usage = f"{keys[0]}:usage"
    states: list[State] = [None, None, None]
    running: dict[str, int] = {}
    counted: dict[tuple[int, str], int] = defaultdict(int)
    # A quota keeps its calendar when the plan changes: a day's and a month's have different names.
    versions = [(a, Quota("q", quota.amount, versions[0][1].calendar), c, d) for a, quota, c, d in versions]
    for number, (gap, version, cost, ended, shadow) in enumerate(steps):
        now = min(max(EARLIEST, now + gap), LATEST)
        for lease in list(running)[:ended]:
            script.client.zrem(keys[3], lease)
            del running[lease]
        limits = versions[version % len(versions)]
        expected = decide(limits, [*states, (sum(end > now for end in running.values()),)], now, cost)
        answer = script.check(
            [*keys, usage], limits, now, cost, shadow="shadow" * shadow, lease=f"l{number}", usage=("c",)
        )
        assert answer[:2] == [now, 1 if expected.allowed else 2 * shadow]
        assert answer[2:] == [number for standing in expected.standings for number in standing]
        hour = now // (3600 * SECOND) * 3600
        counted[hour, "c:requests" if expected.allowed or shadow else "c:refusals"] += 1
        if expected.allowed:
            counted[hour, "c:cost"] += cost
        if shadow and not expected.allowed:
            counted[hour, "c:would_refuse"] += 1
        if expected.allowed:
            states = expected.states[:3]
            running = {lease: end for lease, end in running.items() if end > now} | {f"l{number}": now + LEASE}
    for (hour, name), count in counted.items():
        assert int(script.client.hget(usage, f"{hour}:{name}") or 0) == count


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dates(date(1970, 1, 1), date(2200, 1, 1)))
def test_the_scripts_months_are_the_calendars(script: Script, day: date) -> None:
    now = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * SECOND
    limits = (Quota("month", 1, "month"),)
    answer = script.check(names(limits), limits, now, 1)
    assert answer[2:] == list(decide(limits, [None], now).standings[0])


@pytest.mark.parametrize("day", [(2000, 2, 28), (2000, 2, 29), (2024, 2, 29), (2026, 12, 31), (2100, 2, 28)])
def test_the_scripts_months_end_on_odd_days(script: Script, day: tuple[int, int, int]) -> None:
    now = int(datetime(*day, 23, 59, 59, tzinfo=UTC).timestamp()) * SECOND
    limits = (Quota("month", 1, "month"),)
    answer = script.check(names(limits), limits, now, 1)
    assert answer[2:] == list(decide(limits, [None], now).standings[0])


def test_every_key_expires_when_it_no_longer_matters(script: Script) -> None:
    now = int(datetime(2026, 2, 3, 23, 59, 50, tzinfo=UTC).timestamp()) * SECOND
    limits = (Rate("minute", 60, 10), Quota("day", 100, "day"), Quota("month", 100, "month"))
    keys = names(limits)
    script.check(keys, limits, now, 5)
    lives = [int(script.client.pttl(key)) for key in keys]
    assert 5_000 <= lives[0] <= 6_000
    assert 10_000 <= lives[1] <= 11_000
    assert 25 * 86_400_000 <= lives[2] <= 26 * 86_400_000


def test_a_refused_request_writes_nothing(script: Script) -> None:
    limits = (Rate("minute", 60, 10), Quota("day", 1, "day"))
    keys = names(limits)
    script.check(keys, limits, LATEST - SECOND, 1)
    before = script.client.mget(keys)
    assert script.check(keys, limits, LATEST - SECOND, 1)[1] == 0
    assert script.client.mget(keys) == before


def test_a_revoked_token_is_refused_before_anything_is_charged(script: Script) -> None:
    limits = (Rate("minute", 60, 10),)
    keys = [*names(limits), f"revoked:{uuid4().hex}"]
    assert script.check(keys, limits, EARLIEST, 1)[1] == 1
    script.client.set(keys[1], "1", ex=60)
    before = script.client.get(keys[0])
    assert script.check(keys, limits, EARLIEST, 1) == [EARLIEST, -1]
    assert script.client.get(keys[0]) == before


@pytest.mark.parametrize(
    "value", ["", "x", "1:2", "1:2:3:4", "-1:2:3", "1.5:2:3", "x" * 24, "\xff" * 12, "1763779000000000:123456:1"]
)
def test_a_value_that_is_no_state_counts_as_none(script: Script, value: str) -> None:
    limits: tuple[Limit, ...] = (Rate("minute", 60, 10), Quota("day", 10, "day"))
    keys = names(limits)
    script.client.mset(dict.fromkeys(keys, value))
    answer = script.check(keys, limits, EARLIEST, 1)
    assert (answer[1], answer[2], answer[5]) == (1, 9, 9)


def test_a_process_that_died_holds_no_lease_for_long(script: Script) -> None:
    limits: tuple[Limit, ...] = (Concurrency("concurrent", 1),)
    keys = names(limits)
    assert script.check(keys, limits, EARLIEST, 1, lease="a")[1:3] == [1, 0]
    assert script.check(keys, limits, EARLIEST + LEASE - 1, 1, lease="b")[1:] == [0, 0, 0, SECOND]
    assert script.check(keys, limits, EARLIEST + LEASE, 1, lease="b")[1] == 1
    assert script.client.zrange(keys[0], 0, -1) == [b"b"]


def test_a_revoked_token_is_in_no_usage_and_holds_no_lease(script: Script) -> None:
    limits: tuple[Limit, ...] = (Concurrency("concurrent", 1),)
    keys = names(limits)
    tag = keys[0].partition(":")[0]
    script.client.set(f"{tag}:revoked", "1", ex=60)
    asked = [*keys, f"{tag}:usage", f"{tag}:revoked"]
    assert script.check(asked, limits, EARLIEST, 1, lease="a", usage=("c",)) == [EARLIEST, -1]
    assert script.client.keys(f"{tag}:*") == [f"{tag}:revoked".encode()]
