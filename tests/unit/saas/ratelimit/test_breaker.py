from saas.ratelimit.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(failures=2, pause=1.0, clock=clock)
    assert not breaker.failed(Exception())
    assert breaker.failed(Exception())
    return breaker


def test_it_opens_after_failures_in_a_row() -> None:
    breaker = Breaker(failures=2, pause=1.0)
    breaker.failed(Exception())
    breaker.succeeded()
    breaker.failed(Exception())
    assert breaker.permits()
    breaker.failed(Exception())
    assert breaker.is_open
    assert not breaker.permits()


def test_calls_that_fail_together_are_one_failure() -> None:
    breaker = Breaker(failures=2, pause=1.0)
    error = Exception()
    for _ in range(50):
        breaker.failed(error)
    assert breaker.permits()


def test_after_the_pause_one_may_ask() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 1.5
    assert [breaker.permits() for _ in range(10)] == [True] + [False] * 9


def test_a_probe_that_never_reports_back_is_followed_by_another() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 1.5
    assert breaker.permits()
    clock.now += 1.5
    assert breaker.permits()


def test_a_failed_probe_waits_for_the_next_pause() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 1.5
    breaker.permits()
    clock.now += 0.5
    assert not breaker.failed(Exception())
    clock.now += 0.74
    assert not breaker.permits()


def test_a_success_closes_it() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 1.5
    breaker.permits()
    assert breaker.succeeded()
    assert not breaker.succeeded()
    assert all(breaker.permits() for _ in range(10))


def test_processes_do_not_come_back_together() -> None:
    clock = Clock()
    breakers = [opened(clock) for _ in range(50)]
    clock.now += 1.0
    assert 0 < sum(breaker.permits() for breaker in breakers) < 50
