"""Refusals of the limiter."""

from collections.abc import Sequence
from typing import Final

from saas.ratelimit.decision import Concurrency, Limit, Quota
from saas.ratelimit.limiter import Verdict
from saas.web.problems import Problem

#: Where a client sees what was used, of what.
USAGE_PATH: Final = "/api/v1/usage"
_PERIODS: Final = {1: "a second", 60: "a minute", 3600: "an hour"}


class RateLimited(Problem):
    status = 429
    code = "rate-limited"
    title = "Too many requests"

    def __init__(self, verdict: Verdict) -> None:
        """The document's `violated-policies` is that of draft-ietf-httpapi-ratelimit-headers-10 section 5.1."""
        pairs = zip(verdict.limits, verdict.standings, strict=True)
        violated = [limit for limit, standing in pairs if standing.wait]
        seconds = verdict.retry_after
        super().__init__(
            f"{_said(violated)} used up. Try again in {_counted(seconds, 'second')}. {USAGE_PATH} shows what was used.",
            headers={"Retry-After": str(seconds)},
            extra={
                "violated-policies": [limit.name for limit in violated],
                "retry_after": seconds,
                "usage": USAGE_PATH,
            },
        )


class TokenRevoked(Problem):
    """RFC 6750 section 3.1."""

    status = 401
    code = "invalid-token"
    title = "Invalid token"

    def __init__(self) -> None:
        said = "The access token was revoked"
        challenge = f'Bearer error="invalid_token", error_description="{said}"'
        super().__init__(f"{said}: request another one.", headers={"WWW-Authenticate": challenge})


def _said(limits: Sequence[Limit]) -> str:
    said = " and of ".join(map(_described, limits))
    return f"The limit of {said} is" if len(limits) == 1 else f"The limits of {said} are"


def _described(limit: Limit) -> str:
    requests = _counted(limit.amount, "request")
    if isinstance(limit, Quota):
        return f"{requests} a {limit.calendar} (UTC)"
    if isinstance(limit, Concurrency):
        return f"{requests} under way at the same time"
    period = _PERIODS.get(limit.period) or f"in {limit.period} seconds"
    whose = f", of each {limit.of_each}," if limit.of_each else ","
    return f"{requests} {period}, {limit.burst} at once{whose}"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")
