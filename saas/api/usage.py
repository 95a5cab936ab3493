"""/usage: what the tenant and its clients used, by the hour, day or month, and how its quotas stand."""

from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from saas.access.guards import require
from saas.kit.clock import utc_now
from saas.usage.periods import DAY, HOUR, Calendar, Resolution, beginning
from saas.usage.service import UsageService, total
from saas.web.api import api_router
from saas.web.deps import CurrentTenant, TenantSession
from saas.web.problems import InvalidRequest

router = api_router("/usage", "Usage")

_WEEK: Final = timedelta(days=7)
_MOST_PERIODS: Final = 1000
_LENGTHS: Final = {"hour": HOUR, "day": DAY, "month": 28 * DAY}


class Counts(BaseModel):
    requests: int = Field(description="That were let through")
    refusals: int = Field(description="That a limit refused (429)")
    would_refuse: int = Field(description="Of `requests`, those that only the plan's shadow mode let through")
    cost: int = Field(description="What the requests took of the quotas: some routes weigh more than 1")


class Period(Counts):
    at: datetime = Field(description="Its beginning, in UTC")


class ClientUsage(Counts):
    client_id: str


class QuotaStanding(BaseModel):
    calendar: Calendar
    limit: int
    used: int
    remaining: int
    projected: int = Field(description="What `used` comes to by `resets_at`, if it goes on as it went so far")
    resets_at: datetime


class Usage(BaseModel):
    since: datetime
    until: datetime
    resolution: Resolution
    totals: Counts
    periods: list[Period] = Field(description="All from `since` to `until`, also those without use")
    clients: list[ClientUsage] = Field(description="The twenty that asked most in this time, the busiest first")
    quotas: list[QuotaStanding] = Field(description="As they are now; empty while nobody can say")


@router.get("", summary="See what was used", dependencies=[require("usage:read")])
async def read_usage(
    *,
    request: Request,
    tenant: CurrentTenant,
    session: TenantSession,
    since: Annotated[AwareDatetime | None, Query(description="A week before `until`, unless given")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Not included; now, unless it is earlier")] = None,
    client_id: Annotated[str | None, Query(max_length=200, description="Only what this client used")] = None,
    resolution: Resolution = "hour",
) -> Usage:
    usage: UsageService = request.app.state.usage
    until = min(until or utc_now(), utc_now())
    begin = _beginning(until - _WEEK if since is None else since, until, resolution)
    periods = await usage.hours(session, begin, until, client_id, resolution)
    clients = await usage.clients(session, begin, until, client=client_id)
    return Usage(
        since=begin,
        until=until,
        resolution=resolution,
        totals=Counts(**total([each.use for each in periods])._asdict()),
        periods=[Period(at=each.at, **each.use._asdict()) for each in periods],
        clients=[ClientUsage(client_id=each.client_id, **each.use._asdict()) for each in clients],
        quotas=[
            QuotaStanding(remaining=max(0, each.limit - each.used), **each._asdict())
            for each in await usage.quota(tenant)
        ],
    )


def _beginning(since: datetime, until: datetime, resolution: Resolution) -> datetime:
    """Of the first period. Raises InvalidRequest."""
    if since >= until:
        raise InvalidRequest("since has to be before until, and before now")
    if until - since > _MOST_PERIODS * _LENGTHS[resolution]:
        raise InvalidRequest(
            f"That is more than {_MOST_PERIODS} periods: ask for a shorter time, or for a coarser resolution"
        )
    return beginning(since, resolution)
