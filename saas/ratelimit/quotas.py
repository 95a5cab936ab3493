"""A tenant's quotas as they stand, beside the requests: read for people, and put right where Valkey lost them."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final, Literal

from redis.asyncio import Redis

from saas.ratelimit.decision import SECOND, Quota, window_of
from saas.ratelimit.policy import limits_for
from tenants.registry import Tenant

_SCRIPT: Final = files(__package__).joinpath("quotas.lua").read_text(encoding="utf-8")
#: Seconds until the counters are compared with the database again, though nothing says that they were lost: a server
#: that was restored from a file knows less than it did.
_BELIEVED: Final = 86_400
Calendar = Literal["day", "month"]


class QuotaCounters:
    """All methods raise RedisError."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def used(self, tenant: Tenant) -> dict[Calendar, tuple[int, int]]:
        """Limit and use of each quota that the plan has, in the day and month of now."""
        quotas, now = _quotas(tenant), time.time_ns() // 1000
        stored: list[Any] = await self._client.mget([_key(tenant, quota) for quota in quotas])
        found: dict[Calendar, tuple[int, int]] = {}
        for quota, state in zip(quotas, stored, strict=True):
            window, _, used = (state or b"-1:0").partition(b":")
            current = int(window) == window_of(quota, now)[0]
            found[quota.calendar] = quota.amount, int(used) if current else 0
        return found

    async def is_known(self, tenant: Tenant) -> bool:
        """Whether the counters are complete: not where Valkey was emptied since `raise_to`."""
        return bool(await self._client.exists(_mark(tenant)))

    async def raise_to(self, tenant: Tenant, charged: Mapping[Calendar, int]) -> None:
        """Where more was charged in this day or month than the counter says, it says that from now on.

        `charged` is what the database knows; what usage counts in Valkey and has not entered there comes on top.
        """
        now = time.time_ns() // 1000
        keys, arguments = [_mark(tenant), f"{{{tenant.id.hex}}}:usage"], [_BELIEVED]
        for quota in _quotas(tenant):
            window, end = window_of(quota, now)
            keys.append(_key(tenant, quota))
            arguments += [window, _began(quota, now), charged[quota.calendar], (end - now) // 1000 + 1]
        await self._client.eval(_SCRIPT, len(keys), *keys, *arguments)


def _quotas(tenant: Tenant) -> list[Quota]:
    return [limit for limit in limits_for(tenant.plan) if isinstance(limit, Quota)]


def _began(quota: Quota, now: int) -> int:
    """In seconds."""
    midnight = datetime.fromtimestamp(now // SECOND, UTC).replace(hour=0, minute=0, second=0)
    return int((midnight if quota.calendar == "day" else midnight.replace(day=1)).timestamp())


def _key(tenant: Tenant, quota: Quota) -> str:
    return f"{{{tenant.id.hex}}}:limit:{quota.name}"


def _mark(tenant: Tenant) -> str:
    return f"{{{tenant.id.hex}}}:quotas"
