"""What a plan's limits are."""

from functools import lru_cache
from typing import Final

from saas.ratelimit.decision import Limit, Quota, Rate
from tenants.plans import Plan

#: More than this at once is no limit; up to here the script counts exactly.
_MAX_BURST: Final = 40_000_000


@lru_cache(maxsize=1024)
def limits_for(plan: Plan) -> tuple[Limit, ...]:
    """The limits of a tenant as a whole. A changed plan is another value, so that it applies at once."""
    return (
        Rate("minute", plan.requests_per_minute, min(plan.burst, _MAX_BURST)),
        Quota("day", plan.requests_per_day, "day"),
    )
