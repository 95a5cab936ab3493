import re

import pytest

from saas.ratelimit.decision import DAY, SECOND, Concurrency, Limit, Quota, Rate, Standing
from saas.ratelimit.errors import RateLimited
from saas.ratelimit.headers import legacy_fields, rate_limit_fields
from saas.ratelimit.limiter import Verdict

LIMITS: tuple[Limit, ...] = (Rate("minute", 60, 10), Quota("day", 1000, "day"), Quota("month", 9000, "month"))
#: RFC 9651: a list of strings with parameters that are integers, booleans or strings.
ITEM = r'"[a-z]+"(;[a-z-]+(=\d+|="[a-z-]+")?)*'


def fields(verdict: Verdict) -> dict[str, str]:
    found = {name.decode(): value.decode() for name, value in rate_limit_fields(verdict)}
    assert all(re.fullmatch(f"{ITEM}(,{ITEM})*", value) for value in found.values())
    return found


def verdict(*waits: int, degraded: bool = False) -> Verdict:
    standings = [Standing(12, 2 * SECOND + 1, waits[0]), Standing(0, DAY, waits[1]), Standing(7, 1, waits[2])]
    return Verdict(not any(waits), False, LIMITS, standings, degraded)


def test_an_allowed_request_is_told_what_remains_and_when_more_will() -> None:
    assert fields(verdict(0, 0, 0)) == {
        "ratelimit-policy": '"minute";q=60;w=60,"day";q=1000;w=86400,"month";q=9000',
        "ratelimit": '"minute";r=12;t=3,"day";r=0;t=86400,"month";r=7;t=1',
    }


def test_of_a_refused_request_only_what_refuses_it_says_when() -> None:
    assert fields(verdict(5 * SECOND, 0, 0))["ratelimit"] == '"minute";r=12;t=3,"day";r=0,"month";r=7'


def test_what_is_decided_locally_says_so() -> None:
    assert fields(verdict(0, 0, 0, degraded=True))["ratelimit"] == (
        '"minute";r=12;t=3;saas-degraded,"day";r=0;t=86400;saas-degraded,"month";r=7;t=1;saas-degraded'
    )


@pytest.mark.parametrize(("wait", "seconds"), [(1, 3), (3 * SECOND, 3), (3 * SECOND + 1, 4), (DAY, 86_400)])
def test_retry_after_is_rounded_up_and_never_earlier_than_the_reset(wait: int, seconds: int) -> None:
    refused = verdict(max(wait, 2 * SECOND + 1), 0, 0)  # no wait is shorter than the reset
    problem = RateLimited(refused)
    assert problem.headers == {"Retry-After": str(seconds)}
    assert all(seconds >= int(t) for t in re.findall(r";t=(\d+)", fields(refused)["ratelimit"]))


def test_a_refusal_names_every_limit_that_refuses() -> None:
    problem = RateLimited(verdict(5 * SECOND, DAY, 0))
    assert problem.extra == {"violated-policies": ["minute", "day"], "retry_after": 86_400, "usage": "/api/v1/usage"}
    assert problem.detail == (
        "The limits of 60 requests a minute, 10 at once, and of 1000 requests a day (UTC) are used up. "
        "Try again in 86400 seconds. /api/v1/usage shows what was used."
    )


def test_requests_under_way_are_a_quota_of_their_own_unit() -> None:
    limits: tuple[Limit, ...] = (Concurrency("concurrent", 5),)
    busy = Verdict(False, False, limits, [Standing(0, 0, SECOND)])
    assert fields(busy) == {
        "ratelimit-policy": '"concurrent";q=5;qu="concurrent-requests"',
        "ratelimit": '"concurrent";r=0',
    }
    assert RateLimited(busy).headers == {"Retry-After": "1"}
    assert "5 requests under way at the same time" in RateLimited(busy).detail


def test_what_the_shadow_would_refuse_is_said_and_served() -> None:
    shadowed = verdict(5 * SECOND, 0, 0)._replace(allowed=True, would_refuse=True)
    assert fields(shadowed)["ratelimit"].split(",")[0] == '"minute";r=12;t=3;saas-would-refuse'


def test_the_older_fields_tell_of_the_limit_that_has_least_to_give() -> None:
    def legacy(found: Verdict) -> dict[bytes, bytes]:
        return dict(legacy_fields(found, 1000.0))

    assert legacy(verdict(0, 0, 0)) == {
        b"x-ratelimit-limit": b"1000",
        b"x-ratelimit-remaining": b"0",
        b"x-ratelimit-reset": b"87400",
    }
    assert legacy(verdict(5 * SECOND, 0, 0))[b"x-ratelimit-reset"] == b"1005"
