"""What is revoked, while Valkey cannot be asked, and until it has been told again: from the database, in memory."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from tenants.database import HasSchema

log = logging.getLogger(__name__)


class Home(HasSchema, Protocol):
    """A tenant, and where its data is."""

    @property
    def id(self) -> UUID: ...


#: What a tenant's database says: `jti` or `gid`, and until when it matters; of too many, those that last longest.
Load = Callable[[Home], Awaitable[Mapping[str, datetime]]]

#: Seconds that a list is used before it is read anew.
_FRESH: Final = 5.0
#: Seconds for reading one, waiting for its turn included.
_PATIENCE: Final = 2.0
#: How many are read at once: the database serves the requests, too.
_PARALLEL: Final = 3


class _List:
    __slots__ = ("ends", "is_known", "own", "tried_at")

    def __init__(self) -> None:
        self.ends: dict[str, float] = {}
        #: What this process has revoked: the list that is being read may be older.
        self.own: dict[str, float] = {}
        #: Whether the last attempt to read it succeeded.
        self.is_known = False
        self.tried_at = float("-inf")

    @property
    def is_stale(self) -> bool:
        return time.monotonic() - self.tried_at >= _FRESH


class RevokedTokens:
    """Lists of the tenants that were asked for last, `tenants` of them at most."""

    def __init__(self, load: Load, *, tenants: int = 2000) -> None:
        self._load = load
        self._most = tenants
        self._lists: OrderedDict[UUID, _List] = OrderedDict()
        self._loading: dict[UUID, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(_PARALLEL)
        #: Databases that did not answer when they were asked last.
        self._silent: set[str] = set()

    def add(self, tenant_id: UUID, token_id: str, until: datetime) -> None:
        """What this process revokes counts here at once."""
        found = self._list(tenant_id)
        found.own[token_id] = found.ends[token_id] = until.timestamp()

    async def any_of(self, tenant: Home, token_ids: Sequence[str]) -> bool:
        """Whether one of them is revoked. The first question waits for the database, later ones for nothing.

        Where the database does not answer, what was known before is all that counts.
        """
        found = self._list(tenant.id)
        if found.is_stale or tenant.id in self._loading:
            loading = self._start(tenant, found)
            if not found.is_known:
                await asyncio.wait([loading])
        now = time.time()
        return any(found.ends.get(token_id, 0) > now for token_id in token_ids)

    async def of(self, tenant: Home) -> Mapping[str, float] | None:
        """All of them with their ends, in seconds since 1970; None where the database does not say."""
        found = self._list(tenant.id)
        if found.is_stale or tenant.id in self._loading:
            await asyncio.wait([self._start(tenant, found)])
        return dict(found.ends) if found.is_known else None

    async def close(self) -> None:
        loading = list(self._loading.values())
        for task in loading:
            task.cancel()
        await asyncio.gather(*loading, return_exceptions=True)

    def _list(self, tenant_id: UUID) -> _List:
        found = self._lists.get(tenant_id)
        if found is None:
            found = self._lists[tenant_id] = _List()
            if len(self._lists) > self._most:
                self._lists.popitem(last=False)
        self._lists.move_to_end(tenant_id)
        return found

    def _start(self, tenant: Home, into: _List) -> "asyncio.Task[None]":
        """One at a time for each tenant."""
        if tenant.id not in self._loading:
            task = self._loading[tenant.id] = asyncio.create_task(self._read(tenant, into), name="read revocations")
            task.add_done_callback(lambda _: self._loading.pop(tenant.id, None))
        return self._loading[tenant.id]

    async def _read(self, tenant: Home, into: _List) -> None:
        try:
            async with asyncio.timeout(_PATIENCE), self._turn:
                loaded = await self._load(tenant)
        except (SQLAlchemyError, OSError) as error:
            into.is_known = False
            self._complain(tenant.database, error)
            return
        except Exception:
            into.is_known = False
            log.exception("Revocations cannot be read: those known before count")
            return
        finally:
            into.tried_at = time.monotonic()
        self._silent.discard(tenant.database)
        now = time.time()
        into.own = {token: end for token, end in into.own.items() if end > now}
        into.ends = {token: end.timestamp() for token, end in loaded.items() if end.timestamp() > now} | into.own
        into.is_known = True

    def _complain(self, database: str, error: Exception) -> None:
        """Of a database that does not answer, once until it does."""
        if database not in self._silent:
            self._silent.add(database)
            cause = (str(error) or type(error).__name__).partition("\n")[0]
            log.warning("Revocations cannot be read from %s, those known before count: %s", database, cause)
