import calendar
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saas.ratelimit.decision import MAX_COST, SECOND, Decision, Limit, Quota, Rate, State, decide

NOON = int(datetime(2026, 2, 3, 12, tzinfo=UTC).timestamp()) * SECOND
MINUTE = 60 * SECOND

rates = st.builds(Rate, st.just("rate"), st.integers(1, 10_000), st.integers(1, 50), st.sampled_from([1, 60, 3600]))
gaps = st.lists(st.integers(0, 2 * MINUTE) | st.just(0), max_size=60)


def at(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * SECOND  # type: ignore[misc, arg-type]  # year, month, ...


def charge(limit: Limit, state: State, now: int, cost: int = 1) -> tuple[Decision, State]:
    decision = decide([limit], [state], now, cost)
    return decision, decision.states[0] if decision.allowed else state


class TestRate:
    @given(rates, gaps, st.data())
    def test_no_window_holds_more_than_the_burst_and_what_flows_in(
        self, rate: Rate, gaps: list[int], data: st.DataObject
    ) -> None:
        state, now, passed = None, NOON, []
        for gap in gaps:
            now += gap
            cost = data.draw(st.integers(1, rate.burst))
            decision, state = charge(rate, state, now, cost)
            if decision.allowed:
                passed.append((now, cost))
        for first in range(len(passed)):
            weight = 0
            for when, cost in passed[first:]:
                weight += cost
                inflow = (when - passed[first][0]) * rate.amount
                assert weight * rate.period * SECOND <= rate.burst * rate.period * SECOND + inflow

    @given(rates, gaps, st.integers(1, 60))
    def test_what_must_wait_passes_then_and_not_before(self, rate: Rate, gaps: list[int], cost: int) -> None:
        state, now = None, NOON
        for gap in gaps:
            now += gap
            decision, state = charge(rate, state, now, cost)
            wait = decision.standings[0].wait
            if wait:
                assert not charge(rate, state, now + wait - 1, cost)[0].allowed
                assert charge(rate, state, now + wait, cost)[0].allowed

    @given(rates, gaps)
    def test_what_remains_passes_at_once_and_no_more(self, rate: Rate, gaps: list[int]) -> None:
        state, now = None, NOON
        for gap in gaps:
            now += gap
            decision, state = charge(rate, state, now)
            remaining, after = decision.standings[0].remaining, state
            for _ in range(remaining):
                probe, after = charge(rate, after, now)
                assert probe.allowed
            assert not charge(rate, after, now)[0].allowed

    @given(rates, gaps)
    def test_more_remains_at_the_reset_and_not_before(self, rate: Rate, gaps: list[int]) -> None:
        def remaining(state: State, now: int) -> int:
            return decide([rate, Rate("full", 1, 1)], [state, (now, MINUTE, 1)], now).standings[0].remaining

        state, now = None, NOON
        for gap in gaps:
            now += gap
            decision, state = charge(rate, state, now)
            left, reset, _ = decision.standings[0]
            assert remaining(state, now + reset) == left + 1
            assert remaining(state, now + reset - 1) == left

    def test_the_burst_passes_at_once_then_one_request_in_each_interval(self) -> None:
        rate, state = Rate("minute", 60, 10), None
        for left in reversed(range(10)):
            decision, state = charge(rate, state, NOON)
            assert decision.allowed
            assert decision.standings[0] == (left, SECOND, 0)
        assert charge(rate, state, NOON)[0].standings[0] == (0, SECOND, SECOND)
        assert charge(rate, state, NOON + SECOND)[0].allowed

    def test_a_rate_that_does_not_divide_its_period_is_exact_in_the_long_run(self) -> None:
        rate, state = Rate("minute", 7, 1), None
        passed = 0
        for now in range(NOON, NOON + 70 * MINUTE, SECOND // 10):
            decision, state = charge(rate, state, now)
            passed += decision.allowed
        assert passed == pytest.approx(7 * 70, abs=5)

    def test_a_request_heavier_than_the_burst_passes_when_nothing_is_used_and_is_paid_off(self) -> None:
        rate = Rate("minute", 60, 2)
        decision, state = charge(rate, None, NOON, cost=5)
        assert decision.allowed
        assert not charge(rate, state, NOON + 4 * SECOND - 1)[0].allowed
        assert charge(rate, state, NOON + 4 * SECOND)[0].allowed
        assert charge(rate, state, NOON, cost=5)[0].standings[0].wait == 5 * SECOND

    def test_a_clock_that_went_back_refuses_nobody(self) -> None:
        rate, state = Rate("minute", 1, 1), None
        _, state = charge(rate, state, NOON)
        assert charge(rate, state, NOON - 60 * MINUTE)[0].allowed


class TestPlanChange:
    def test_a_larger_burst_is_there_at_once_less_what_is_used(self) -> None:
        state = None
        for _ in range(10):
            _, state = charge(Rate("minute", 60, 10), state, NOON)
        assert charge(Rate("minute", 600, 60), state, NOON)[0].standings[0].remaining == 49

    def test_a_smaller_burst_is_full_and_no_more(self) -> None:
        state = None
        for _ in range(60):
            _, state = charge(Rate("minute", 600, 60), state, NOON)
        decision, _ = charge(Rate("minute", 60, 10), state, NOON)
        assert decision.standings[0] == (0, SECOND, SECOND)

    def test_the_new_rate_holds_at_once(self) -> None:
        _, state = charge(Rate("minute", 1, 1), None, NOON)
        assert charge(Rate("minute", 600, 1), state, NOON)[0].standings[0].wait == SECOND // 10

    def test_a_smaller_quota_counts_what_was_used_before(self) -> None:
        state = None
        for _ in range(5):
            _, state = charge(Quota("day", 10, "day"), state, NOON)
        assert charge(Quota("day", 6, "day"), state, NOON)[0].standings[0].remaining == 0
        assert not charge(Quota("day", 4, "day"), state, NOON)[0].allowed


class TestQuota:
    @given(st.integers(1, 50), st.lists(st.tuples(st.integers(0, 90_000), st.integers(1, 60)), max_size=60))
    def test_no_day_holds_more_than_the_quota(self, amount: int, steps: list[tuple[int, int]]) -> None:
        quota, state, now = Quota("day", amount, "day"), None, NOON
        used: dict[int, int] = {}
        for gap, cost in steps:
            now += gap * SECOND
            decision, state = charge(quota, state, now, cost)
            day = datetime.fromtimestamp(now // SECOND, UTC).toordinal()
            assert decision.allowed == (used.get(day, 0) + cost <= amount)
            used[day] = used.get(day, 0) + cost * decision.allowed
            assert decision.standings[0].remaining == amount - used[day]

    def test_a_day_ends_at_midnight_in_utc(self) -> None:
        quota = Quota("day", 1, "day")
        _, state = charge(quota, None, at(2026, 2, 3))
        assert charge(quota, state, at(2026, 2, 4) - 1)[0].standings[0].wait == 1
        assert charge(quota, state, at(2026, 2, 4))[0].allowed

    @given(st.dates(date(1970, 1, 1), date(2200, 1, 1)), st.times())
    def test_a_month_ends_with_the_calendars(self, day: date, hour: time) -> None:
        quota = Quota("month", 1, "month")
        moment = datetime.combine(day, hour, UTC)
        now = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        days = calendar.monthrange(moment.year, moment.month)[1]
        end = at(moment.year, moment.month, days) + 86_400 * SECOND
        decision, state = charge(quota, None, now)
        assert decision.standings[0].reset == end - now
        assert not charge(quota, state, end - 1)[0].allowed
        assert charge(quota, state, end)[0].allowed


class TestSeveral:
    limits = (Rate("minute", 60, 3), Quota("day", 2, "day"))

    def test_a_request_that_one_limit_refuses_is_charged_to_none(self) -> None:
        states: list[State] = [None, None]
        for _ in range(2):
            states = decide(self.limits, states, NOON).states
        refused = decide(self.limits, states, NOON)
        assert not refused.allowed
        assert refused.states == []
        assert [standing.remaining for standing in refused.standings] == [1, 0]
        assert [standing.wait > 0 for standing in refused.standings] == [False, True]

    def test_all_that_refuse_say_so(self) -> None:
        decision = decide(self.limits, [(NOON, 3 * MINUTE, 3), (NOON // (86_400 * SECOND), 2)], NOON)
        assert all(standing.wait for standing in decision.standings)


@pytest.mark.parametrize(
    ("amount", "burst", "period"), [(0, 1, 60), (1, 0, 60), (1, 1, 0), (10**10, 1, 60), (1, 10**9, 60), (1, 1, 10**9)]
)
def test_what_the_script_could_not_count_is_not_a_rate(amount: int, burst: int, period: int) -> None:
    with pytest.raises(ValueError, match="exactly"):
        Rate("rate", amount, burst, period)


@pytest.mark.parametrize("amount", [0, 10**10])
def test_what_the_script_could_not_count_is_not_a_quota(amount: int) -> None:
    with pytest.raises(ValueError, match="exactly"):
        Quota("day", amount, "day")


@given(rates, st.integers(1, 25_600))
def test_the_shares_of_all_processes_are_the_limit(rate: Rate, processes: int) -> None:
    share = rate.share(processes)
    assert share.amount * rate.period * processes == rate.amount * share.period
    assert share.burst == max(1, rate.burst // processes)
    assert decide([share], [None], NOON, MAX_COST).allowed
