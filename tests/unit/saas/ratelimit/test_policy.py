import pytest

from saas.ratelimit.decision import MAX_COST, Quota, Rate
from saas.ratelimit.policy import limits_for
from tenants.plans import Plan


def test_a_plan_has_a_rate_a_minute_and_a_quota_a_day() -> None:
    limits = limits_for(Plan("free", requests_per_minute=60, burst=10, requests_per_day=5000))
    assert limits == (Rate("minute", 60, 10, 60), Quota("day", 5000, "day"))


def test_the_limits_of_equal_plans_are_one_object() -> None:
    def plan(per_minute: int) -> Plan:
        return Plan("free", requests_per_minute=per_minute, burst=10, requests_per_day=5000)

    assert limits_for(plan(60)) is limits_for(plan(60))
    assert limits_for(plan(60)) != limits_for(plan(61))


@pytest.mark.parametrize("amount", [1, 10**9])
@pytest.mark.parametrize("burst", [1, 10**9])
def test_the_largest_and_the_smallest_plan_can_be_counted(amount: int, burst: int) -> None:
    rate, quota = limits_for(Plan("odd", requests_per_minute=amount, burst=burst, requests_per_day=amount))
    assert isinstance(rate, Rate)
    assert rate.burst >= min(burst, MAX_COST)
    assert (rate.amount, quota.amount) == (amount, amount)
