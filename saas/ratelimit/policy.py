"""What a plan's limits are."""

from functools import lru_cache
from typing import Final, NamedTuple

from saas.ratelimit.decision import Concurrency, Limit, Part, Quota, Rate
from tenants.plans import Plan

#: More than this at once is no limit; up to here the script counts exactly.
_MAX_BURST: Final = 40_000_000
#: A client may ask for tokens as often as this many addresses may: one stranger cannot use up what is a client's.
_ADDRESSES: Final = 4
_REMEMBERED: Final = 4096


class PlanLimits(NamedTuple):
    """Each stands in the order in which it is told of. Where one is refused, none is charged."""

    #: Of a request that a user is behind.
    with_user: tuple[Limit, ...]
    #: Of a request of a client on its own behalf.
    without_user: tuple[Limit, ...]
    #: Of a request that looks at what was used: also where a quota is used up, and not a part of it.
    looking: tuple[Limit, ...]
    #: Where clients authenticate: for each address, and for each client that an address claims to be.
    token: tuple[Limit, ...]


_known: dict[int, tuple[Plan, PlanLimits]] = {}


def limits_of(plan: Plan) -> PlanLimits:
    """The same object for equal plans. A changed plan is another value, so that it applies at once."""
    known = _known.get(id(plan))
    if known is not None and known[0] is plan:  # an address is used again
        return known[1]
    limits = _limits_of(plan)
    if len(_known) >= _REMEMBERED:
        _known.clear()
    _known[id(plan)] = (plan, limits)
    return limits


def limits_for(plan: Plan) -> tuple[Limit, ...]:
    """The limits of a client on its own behalf, and of the tenant as a whole."""
    return limits_of(plan).without_user


@lru_cache(maxsize=1024)
def address_limits(per_minute: int) -> tuple[Limit, ...]:
    """Of those who show no token."""
    return (_rate("address", per_minute, max(1, per_minute // 2), "address"),)


@lru_cache(maxsize=1024)
def _limits_of(plan: Plan) -> PlanLimits:
    tenant: list[Limit] = [
        _rate("minute", plan.requests_per_minute, plan.burst),
        Quota("day", plan.requests_per_day, "day"),
    ]
    token = (*tenant, _rate("token", plan.requests_per_minute * _ADDRESSES, plan.burst * _ADDRESSES, "client"))
    if plan.requests_per_month is not None:
        tenant.append(Quota("month", plan.requests_per_month, "month"))
    if plan.client_share is not None:
        tenant.append(_share("client", plan, plan.client_share, "client"))
    user = [] if plan.user_share is None else [_share("user", plan, plan.user_share, "user")]
    # The last one, always: whoever holds a lease finds its key there.
    looking = tuple(limit for limit in tenant if isinstance(limit, Rate))
    running = [] if plan.concurrent is None else [Concurrency("concurrent", plan.concurrent)]
    return PlanLimits((*tenant, *user, *running), (*tenant, *running), looking, token)


def _share(name: str, plan: Plan, percent: int, of_each: Part) -> Rate:
    amount, burst = plan.requests_per_minute * percent // 100, plan.burst * percent // 100
    return _rate(name, max(1, amount), max(1, burst), of_each)


def _rate(name: str, amount: int, burst: int, of_each: Part = "") -> Rate:
    return Rate(name, min(amount, 10**9), min(burst, _MAX_BURST), of_each=of_each)
