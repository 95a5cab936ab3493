"""The response fields of draft-ietf-httpapi-ratelimit-headers-10."""

from functools import lru_cache

from saas.ratelimit.decision import SECOND, Limit, Standing
from saas.ratelimit.limiter import Verdict


def rate_limit_fields(verdict: Verdict) -> list[tuple[bytes, bytes]]:
    """`RateLimit-Policy` and `RateLimit`, as an ASGI server takes them.

    Of a refused request, only the limits that refuse it say when more is available: `Retry-After` is never earlier than
    that. What this process decided by itself carries the parameter `saas-degraded`.
    """
    pairs = zip(verdict.limits, verdict.standings, strict=True)
    items = ",".join([_item(limit, standing, verdict) for limit, standing in pairs])
    return [(b"ratelimit-policy", _policies(verdict.limits)), (b"ratelimit", items.encode())]


def _item(limit: Limit, standing: Standing, verdict: Verdict) -> str:
    item = f'"{limit.name}";r={standing.remaining}'
    if verdict.allowed or standing.wait:
        item += f";t={-(-standing.reset // SECOND)}"
    return item + ";saas-degraded" if verdict.degraded else item


@lru_cache(maxsize=1024)
def _policies(limits: tuple[Limit, ...]) -> bytes:
    return ",".join(
        f'"{limit.name}";q={limit.amount}' + (f";w={limit.window}" if limit.window else "") for limit in limits
    ).encode()
