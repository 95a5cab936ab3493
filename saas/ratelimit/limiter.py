"""Decides on requests in Valkey, and by itself while Valkey is slow or gone."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Final, NamedTuple
from uuid import UUID

from saas.kit.redis import open_client
from saas.ratelimit.breaker import Breaker
from saas.ratelimit.connection import ScriptConnection, ScriptError, Unavailable
from saas.ratelimit.decision import MAX_COST, SECOND, Limit, Standing
from saas.ratelimit.local import LocalStates
from saas.settings import LimitsSettings

log = logging.getLogger(__name__)

#: What runs in Valkey for each check.
SCRIPT: Final = files(__package__).joinpath("check.lua").read_text(encoding="utf-8")
_REVOKED: Final = -1
#: How much longer a revocation is kept than the token lives: the clocks of servers differ.
_CLOCK_SKEW: Final = timedelta(minutes=10)
_SCAN_COUNT: Final = 1000


class Subject(NamedTuple):
    """Who is counted: the tenant, or a part of what happens at the tenant that is counted apart from the rest."""

    tenant_id: UUID
    #: By which a token may be revoked, where the request has one: its `jti`, and its `gid`.
    token_ids: tuple[str, ...] = ()
    #: Names the part, if it is one: the token endpoint as one address uses it, say.
    bucket: str = ""


class Verdict(NamedTuple):
    """`standings` are in the order of `limits`; there are none where the token is revoked."""

    allowed: bool
    revoked: bool
    limits: tuple[Limit, ...]
    standings: Sequence[Standing]
    #: This process decided by itself, with its share of the limits; revocations were not looked at.
    degraded: bool = False

    @property
    def retry_after(self) -> int:
        """Whole seconds until the same request could pass; 0 where it does."""
        return -(-max((standing.wait for standing in self.standings), default=0) // SECOND)


class Limiter:
    """One for each process and event loop.

    Where Valkey does not answer in time, each check is decided here instead: see `LimitsSettings`.
    """

    def __init__(self, url: str, settings: LimitsSettings, *, workers: int = 1, command_timeout: float = 0.5) -> None:
        """`workers` is how many processes this machine runs; `command_timeout` is for `revoke` and `purge`."""
        self._connection = ScriptConnection(
            url, SCRIPT, timeout=settings.timeout, connect_timeout=max(settings.timeout, command_timeout)
        )
        self._client = open_client(url, command_timeout)
        self._breaker = Breaker(settings.failures, settings.pause)
        self._local = LocalStates(settings.replicas * workers)

    async def open(self) -> None:
        """Connect. Without Valkey the limiter is open all the same, and decides by itself."""
        if not await self._connection.open():
            log.warning("Rate limits start without Valkey: this process limits by itself")

    async def close(self) -> None:
        await self._connection.close()
        await self._client.aclose()

    @property
    def degraded(self) -> bool:
        """Whether Valkey is given up for the moment."""
        return self._breaker.is_open

    async def check(self, subject: Subject, limits: tuple[Limit, ...], cost: int = 1) -> Verdict:
        """Charge a request of weight `cost` to all limits, or to none where one refuses it or its token is revoked."""
        if not 0 < cost <= MAX_COST:
            raise ValueError(f"A request cannot weigh {cost}: from 1 to {MAX_COST}")
        prefix = _prefix(subject.tenant_id)
        bucket = subject.bucket and f":{subject.bucket}"
        keys = [f"{prefix}limit:{limit.name}{bucket}" for limit in limits]
        if self._breaker.permits():
            asked = [*keys, *[f"{prefix}revoked:{token_id}" for token_id in subject.token_ids]]
            arguments: list[int | str] = [cost]
            for limit in limits:
                arguments += limit.arguments
            try:
                answer = await self._connection.run(asked, arguments)
            except (Unavailable, ScriptError) as error:
                self._failed(error)
            else:
                if self._breaker.succeeded():
                    log.warning("Valkey is back: rate limits are shared again")
                return _verdict(limits, answer)
        decision = self._local.check(keys, limits, cost)
        return Verdict(decision.allowed, False, limits, decision.standings, True)

    async def revoke(self, tenant_id: UUID, token_id: str, until: datetime) -> None:
        """Refuse a token, or all of a grant, from now on: whatever has `token_id` among its ids.

        `until` is when the last of them expires by itself. Raises redis.RedisError.
        """
        forget = until + _CLOCK_SKEW
        if forget > datetime.now(UTC):
            await self._client.set(f"{_prefix(tenant_id)}revoked:{token_id}", b"1", pxat=forget)

    async def purge(self, tenant_id: UUID) -> None:
        """Remove all that is stored of a tenant. Raises redis.RedisError."""
        prefix = _prefix(tenant_id)
        self._local.forget(prefix)
        cursor = -1
        while cursor != 0:
            cursor, keys = await self._client.scan(max(cursor, 0), match=f"{prefix}*", count=_SCAN_COUNT)
            if keys:
                await self._client.unlink(*keys)

    def _failed(self, error: Unavailable | ScriptError) -> None:
        if self._breaker.failed(error):
            log.warning("Valkey is given up for now, this process limits by itself: %s", error)
            # What went wrong may lie in the connection (a replica that was the primary): probes get a new one.
            self._connection.drop(Unavailable("Valkey is given up"))


def _prefix(tenant_id: UUID) -> str:
    """Of all keys of a tenant. The braces put them into one slot of a cluster."""
    return f"{{{tenant_id.hex}}}:"


def _verdict(limits: tuple[Limit, ...], answer: list[int]) -> Verdict:
    """Of the script's answer: see `check.lua`."""
    standings = [Standing(*answer[at : at + 3]) for at in range(2, len(answer), 3)]
    return Verdict(answer[1] == 1, answer[1] == _REVOKED, limits, standings)
