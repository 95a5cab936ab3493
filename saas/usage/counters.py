"""What the limiter has counted in Valkey: which tenants, and the counters of one, taken away exactly once.

A tenant's counters are one hash, `{tenant}:usage`, with fields `<hour>:<client>:<what>`: the hour in seconds since
1970. It lives for forty days, unless it is taken away before.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final, NamedTuple
from uuid import UUID

from redis.asyncio import Redis

from tenants.base import new_id

log = logging.getLogger(__name__)

_TAKE: Final = files(__package__).joinpath("take.lua").read_text(encoding="utf-8")
#: Deletes a batch; but not the one that another worker has taken since.
_FINISH: Final = """
if redis.call("HGET", KEYS[1], "id") == ARGV[1] then return redis.call("UNLINK", KEYS[1]) end
return 0
"""
#: Forgets those tenants that nobody has served since they were asked for: pairs of member and score.
_FORGET: Final = """
for i = 1, #ARGV, 2 do
  if redis.call("ZSCORE", KEYS[1], ARGV[i]) == ARGV[i + 1] then redis.call("ZREM", KEYS[1], ARGV[i]) end
end
"""
#: What is counted, as the columns are called.
WHAT: Final = ("requests", "refusals", "would_refuse", "cost")
_SCAN_COUNT: Final = 1000
_DAY: Final = 86_400


class Counts(NamedTuple):
    """Of one client in one hour."""

    hour: datetime
    client_id: str
    #: Of all of `WHAT`.
    counts: Mapping[str, int]


class Batch(NamedTuple):
    id: UUID
    counts: Sequence[Counts]
    #: Somebody took it before and did not finish it: what was counted since then is not in it.
    is_left: bool = False


class Served(NamedTuple):
    """A tenant that was served, and when a server last said so, as Valkey wrote it."""

    tenant_id: UUID
    said: bytes


class Counters:
    """All methods raise RedisError."""

    def __init__(self, client: Redis, served: str) -> None:
        """`served` is the key of the sorted set in which servers write which tenants they have counted for."""
        self._client = client
        self._served = served

    async def served(self) -> list[Served]:
        """Those that have counters, and perhaps some that have none any more; the longest waiting first.

        A server that was killed did not say whom it served: once a day, whoever asks looks through all keys.
        """
        if await self._client.set(f"{self._served}:swept", b"1", nx=True, ex=_DAY):
            await self._sweep()
        found: Any = await self._client.zrange(self._served, 0, -1, withscores=True, score_cast_func=bytes)
        return [Served(UUID(member.decode()), score) for member, score in found]

    async def forget(self, served: Iterable[Served]) -> None:
        """Those that were said to be served again meanwhile stay."""
        pairs = [part for tenant_id, said in served for part in (tenant_id.hex, said)]
        await self._client.eval(_FORGET, 1, self._served, *pairs)

    async def take(self, tenant_id: UUID) -> Batch | None:
        """The batch that was not finished, if there is one; else what was counted up to now, as a new one."""
        keys = _keys(tenant_id)
        new = new_id()
        found: Any = await self._client.eval(_TAKE, len(keys), *keys, new.hex)
        if not found:
            return None
        fields = dict(zip(found[::2], found[1::2], strict=True))
        batch_id = UUID(fields.pop(b"id").decode())
        return Batch(batch_id, _parse(fields), batch_id != new)

    async def finish(self, tenant_id: UUID, batch: Batch) -> None:
        await self._client.eval(_FINISH, 1, _keys(tenant_id)[1], batch.id.hex)

    async def _sweep(self) -> None:
        members: set[str] = set()
        async for key in self._client.scan_iter(match="{*}:usage*", count=_SCAN_COUNT):
            members.add(key.decode().partition("}")[0][1:])
        if members:
            await self._client.zadd(self._served, dict.fromkeys(members, 0.0), nx=True)


def _keys(tenant_id: UUID) -> tuple[str, str]:
    tag = f"{{{tenant_id.hex}}}"
    return f"{tag}:usage", f"{tag}:usage:batch"


def _parse(fields: Mapping[bytes, bytes]) -> list[Counts]:
    """In an order that is the same for everybody, so that two who write rows do not wait for each other."""
    found: dict[tuple[datetime, str], dict[str, int]] = {}
    for field, count in fields.items():
        hour, _, rest = field.decode().partition(":")
        client_id, _, what = rest.rpartition(":")
        found.setdefault((datetime.fromtimestamp(int(hour), UTC), client_id), dict.fromkeys(WHAT, 0))[what] = int(count)
    return [Counts(*key, found[key]) for key in sorted(found)]
