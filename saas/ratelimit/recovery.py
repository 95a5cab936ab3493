"""When Valkey is back: it is told what it missed, and believed about revocations only where it was told of them."""

import asyncio
import logging
import random
import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Final, NamedTuple
from uuid import UUID, uuid4

from redis.asyncio import Redis
from redis.exceptions import RedisError

from saas.ratelimit.decision import until_end
from saas.ratelimit.local import LocalStates, LocalUsage
from saas.ratelimit.revoked import Home, RevokedTokens

log = logging.getLogger(__name__)

_SCRIPT: Final = files(__package__).joinpath("reconcile.lua").read_text(encoding="utf-8")
#: How much longer a revocation is kept than the token lives: the clocks of servers differ.
_CLOCK_SKEW: Final = timedelta(minutes=10)
#: Seconds over which processes spread, when all of them notice at once that Valkey is back.
_SPREAD: Final = 1.0
_MOST_UNTOLD: Final = 10_000


class _Account(NamedTuple):
    """What one run of `reconcile.lua` gets. It may be told again: its first key names it."""

    keys: Sequence[str]
    arguments: Sequence[str | int]


class Recovery:
    def __init__(
        self,
        client: Redis,
        states: LocalStates,
        usage: LocalUsage,
        revoked: RevokedTokens | None,
        served: set[str],
        *,
        token_lifetime: int,
    ) -> None:
        """`served` gets the tags of tenants whose usage Valkey was told of. `token_lifetime` is in seconds: no
        revocation matters longer.
        """
        self._client = client
        self._states = states
        self._usage = usage
        self._revoked = revoked
        self._served = served
        self._lifetime = token_lifetime
        self._accounts: list[_Account] = []
        self._untold: OrderedDict[tuple[UUID, str], datetime] = OrderedDict()
        self._told: set[UUID] = set()
        self._assuring: dict[UUID, asyncio.Task[bool]] = {}
        self._doubted_until = 0.0
        self._task: asyncio.Task[None] | None = None
        self._complained = False
        #: Whether there is something that Valkey does not know yet, or may not.
        self.is_owing = False
        #: Whether Valkey may have lost revocations.
        self.doubts = False

    def doubt(self) -> None:
        """Valkey may have been restarted empty: ask `assure` of each tenant before its tokens are believed."""
        if self._revoked is not None:
            self._told.clear()
            self.doubts = True
            self._doubted_until = time.monotonic() + self._lifetime

    async def assure(self, tenant: Home | None) -> bool:
        """Whether Valkey knows the tenant's revocations, of which it is told where need be."""
        if self._revoked is None or tenant is None or tenant.id in self._told:
            return True
        if time.monotonic() > self._doubted_until:
            self.doubts = False
            return True
        if tenant.id not in self._assuring:
            task = self._assuring[tenant.id] = asyncio.create_task(self._assure(tenant, self._revoked))
            task.add_done_callback(lambda _: self._assuring.pop(tenant.id, None))
        return await asyncio.shield(self._assuring[tenant.id])

    async def _assure(self, tenant: Home, revoked: RevokedTokens) -> bool:
        ends = await revoked.of(tenant)
        if ends is None:
            return False
        try:
            for token_id, end in ends.items():
                await self.tell(tenant.id, token_id, datetime.fromtimestamp(end, UTC))
        except RedisError as error:
            self._complain(error)
            return False
        self._complained = False
        self._told.add(tenant.id)
        return True

    async def revoke(self, tenant_id: UUID, token_id: str, until: datetime) -> None:
        """Raises RedisError; then Valkey is told when it is back."""
        if self._revoked is not None:
            self._revoked.add(tenant_id, token_id, until)
        try:
            await self.tell(tenant_id, token_id, until)
        except RedisError:
            self._untold[tenant_id, token_id] = until
            if len(self._untold) > _MOST_UNTOLD:
                self._untold.popitem(last=False)
            self.is_owing = True
            raise

    async def tell(self, tenant_id: UUID, token_id: str, until: datetime) -> None:
        forget = until + _CLOCK_SKEW
        if forget > datetime.now(UTC):
            await self._client.set(f"{{{tenant_id.hex}}}:revoked:{token_id}", b"1", pxat=forget)

    def settle_soon(self) -> None:
        """Valkey answers again."""
        if self._task is None:
            self.is_owing = False
            self._task = asyncio.create_task(self._settle_later(), name="tell Valkey what it missed")

    async def close(self) -> None:
        """Tell what is left, if that is possible at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(*self._assuring.values(), return_exceptions=True)
        if self.is_owing or self._accounts:
            await self._settle()

    async def _settle_later(self) -> None:
        try:
            await asyncio.sleep(random.uniform(0, _SPREAD))  # noqa: S311 - spreads load, keeps no secret
            await self._settle()
        finally:
            self._task = None

    async def _settle(self) -> None:
        self._accounts += self._close_accounts()
        try:
            for tenant_id, token_id in list(self._untold):
                await self.tell(tenant_id, token_id, self._untold[tenant_id, token_id])
                del self._untold[tenant_id, token_id]
            while self._accounts:
                keys, arguments = self._accounts[-1]
                await self._client.eval(_SCRIPT, len(keys), *keys, *arguments)
                self._accounts.pop()
                self._served.add(keys[0].partition("}")[0][1:])
        except (RedisError, OSError) as error:
            self.is_owing = True
            self._complain(error)
        else:
            self._complained = False

    def _complain(self, error: Exception) -> None:
        """Once, until something could be told again."""
        if not self._complained:
            self._complained = True
            log.warning("Valkey cannot be told what it missed, it will be tried again: %s", error)

    def _close_accounts(self) -> list[_Account]:
        """What happened here without Valkey, by tenant: quotas and usage at once, which others compare."""
        quotas: dict[str, list[tuple[str, int, int, int]]] = {}
        now = time.time_ns() // 1000
        for key, quota, window, used in self._states.take_admitted():
            left = until_end(quota, window, now)
            if left > 0:
                quotas.setdefault(key.partition(":")[0], []).append((key, window, used, left // 1000 + 1))
        usage = {key.partition(":")[0]: (key, fields) for key, fields in self._usage.take().items()}
        accounts = []
        for tag in dict.fromkeys([*quotas, *usage]):
            found = quotas.get(tag, [])
            keys = [f"{tag}:told:{uuid4().hex}", *(key for key, *_ in found)]
            arguments: list[str | int] = [len(found), *(part for _, *rest in found for part in rest)]
            if tag in usage:
                key, fields = usage[tag]
                keys.append(key)
                arguments += [part for field in fields.items() for part in field]
            accounts.append(_Account(keys, arguments))
        return accounts
