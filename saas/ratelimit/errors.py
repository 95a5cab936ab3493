"""Refusals of the limiter."""

from collections.abc import Sequence

from saas.ratelimit.decision import Limit, Rate
from saas.ratelimit.limiter import Verdict
from saas.web.problems import Problem


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
            f"{_said(violated)} used up. Try again in {seconds} second{'' if seconds == 1 else 's'}.",
            headers={"Retry-After": str(seconds)},
            extra={"violated-policies": [limit.name for limit in violated], "retry_after": seconds},
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
    said = " and ".join(
        f"{limit.amount} requests in {limit.period} seconds, {limit.burst} at once"
        if isinstance(limit, Rate)
        else f"{limit.amount} requests a {limit.calendar} (UTC)"
        for limit in limits
    )
    return f"The plan's limit of {said} is" if len(limits) == 1 else f"The plan's limits of {said} are"
