"""The response fields of draft-ietf-httpapi-ratelimit-headers-10, and those that came before it."""

from saas.ratelimit.decision import SECOND, Concurrency, Limit, Standing
from saas.ratelimit.limiter import Verdict

_known: dict[int, tuple[tuple[Limit, ...], bytes]] = {}
_REMEMBERED = 4096


def rate_limit_fields(verdict: Verdict) -> list[tuple[bytes, bytes]]:
    """`RateLimit-Policy` and `RateLimit`, as an ASGI server takes them.

    Of a refused request, only the limits that refuse it say when more is available: `Retry-After` is never earlier than
    that. What this process decided by itself carries the parameter `saas-degraded`; a limit that would refuse, but for
    the plan's shadow, `saas-would-refuse`.
    """
    pairs = zip(verdict.limits, verdict.standings, strict=True)
    items = ",".join([_item(limit, standing, verdict) for limit, standing in pairs])
    return [(b"ratelimit-policy", _policies(verdict.limits)), (b"ratelimit", items.encode())]


def legacy_fields(verdict: Verdict, now: float) -> list[tuple[bytes, bytes]]:
    """`X-RateLimit-Limit`, `-Remaining` and `-Reset` (seconds since 1970) of the limit that has least to give."""
    pairs = [pair for pair in zip(verdict.limits, verdict.standings, strict=True) if pair[0].window]
    limit, standing = min(pairs, key=lambda pair: (not pair[1].wait, pair[1].remaining))
    reset = int(now) - (-max(standing.reset, standing.wait) // SECOND)
    return [
        (b"x-ratelimit-limit", str(limit.amount).encode()),
        (b"x-ratelimit-remaining", str(standing.remaining).encode()),
        (b"x-ratelimit-reset", str(reset).encode()),
    ]


def _item(limit: Limit, standing: Standing, verdict: Verdict) -> str:
    item = f'"{limit.name}";r={standing.remaining}'
    if (verdict.allowed or standing.wait) and type(limit) is not Concurrency:
        item += f";t={-(-standing.reset // SECOND)}"
    if verdict.would_refuse and standing.wait:
        item += ";saas-would-refuse"
    return item + ";saas-degraded" if verdict.degraded else item


def _policies(limits: tuple[Limit, ...]) -> bytes:
    """Remembered by identity: a plan's limits are one object."""
    known = _known.get(id(limits))
    if known is not None and known[0] is limits:
        return known[1]
    if len(_known) >= _REMEMBERED:
        _known.clear()
    said = ",".join(map(_policy, limits)).encode()
    _known[id(limits)] = (limits, said)
    return said


def _policy(limit: Limit) -> str:
    policy = f'"{limit.name}";q={limit.amount}'
    if isinstance(limit, Concurrency):
        return policy + ';qu="concurrent-requests"'
    return policy + (f";w={limit.window}" if limit.window else "")
