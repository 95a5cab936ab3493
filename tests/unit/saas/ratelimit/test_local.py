from saas.ratelimit.decision import Limit, Quota, Rate
from saas.ratelimit.local import LocalStates

LIMITS: tuple[Limit, ...] = (Rate("minute", 60, 10), Quota("day", 100, "day"))


def passed(states: LocalStates, limits: tuple[Limit, ...], keys: list[str], requests: int = 200) -> int:
    return sum(states.check(keys, limits, 1).allowed for _ in range(requests))


def test_it_admits_this_processs_share() -> None:
    assert passed(LocalStates(processes=5), (Rate("minute", 1, 10),), ["k"]) == 2
    assert passed(LocalStates(processes=5), (Quota("day", 100, "day"),), ["k"]) == 20


def test_a_share_is_never_nothing() -> None:
    assert passed(LocalStates(processes=50), (Rate("minute", 1, 10), Quota("day", 10, "day")), ["k", "l"]) == 1


def test_tenants_are_counted_apart() -> None:
    states = LocalStates(processes=1)
    assert passed(states, LIMITS, ["a", "b"]) == passed(states, LIMITS, ["c", "d"]) == 10


def test_memory_is_bounded_and_the_busy_are_remembered() -> None:
    states = LocalStates(processes=1, size=10)
    limits = (Quota("day", 1, "day"),)
    states.check(["busy"], limits, 1)
    for number in range(100):
        states.check([f"other {number}"], limits, 1)
        assert len(states._states) <= 10
    assert states.check(["busy"], limits, 1).allowed  # long unused, and forgotten
    busy = (Quota("day", 1000, "day"),)
    for number in range(100):
        states.check(["busy"], busy, 1)
        states.check([f"another {number}"], limits, 1)
    assert states.check(["busy"], busy, 1).standings[0].remaining == 1000 - 102


def test_a_tenant_can_be_forgotten() -> None:
    states = LocalStates(processes=1)
    limits = (Quota("day", 1, "day"),)
    for key in ("{a}:limit:day", "{b}:limit:day"):
        states.check([key], limits, 1)
    states.forget("{a}:")
    assert states.check(["{a}:limit:day"], limits, 1).allowed
    assert not states.check(["{b}:limit:day"], limits, 1).allowed
