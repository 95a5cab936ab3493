"""One database: its connections, which carry the tenant's search path in the message that begins a transaction."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import Connection as SyncConnection
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, PoolProxiedConnection

from tenants.pool import FairPool
from tenants.stale import wants_fresh

if TYPE_CHECKING:
    _Connection = asyncpg.Connection[asyncpg.Record]
else:
    _Connection = asyncpg.Connection  # not subscriptable at run time

_SCHEMA_OPTION: Final = "tenant_schema"
_MAX_VIEWS: Final = 5_000
_EMPTY_PATH: Final = "''"


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """How a process holds connections; the same for each of its databases. Times are seconds."""

    size: int = 10
    timeout: float = 5.0
    connect_timeout: float = 5.0
    #: Distinct tenants that a connection serves before another takes its place. A backend remembers each table that it
    #: touched: 25 kB, or half a megabyte a tenant that uses all of 25 tables. Measured with thousands of tenants at
    #: random, a request costs a sixth more CPU time where it is 100.
    max_tenants: int = 500
    #: False where a pooler in between does not know prepared statements (PgBouncer before 1.21).
    statement_cache: bool = True


class TenantConnection(_Connection):
    """Sends `SET LOCAL search_path` in the same message as BEGIN.

    It lasts as long as the transaction, so nothing leaks to the next user of the connection, not even through
    PgBouncer in transaction mode. Without a tenant the path is empty: a query on a tenant's table fails.
    """

    __slots__ = ("schemas", "search_path")

    search_path: str
    #: What the backend has touched, and remembers.
    schemas: set[str]

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        if not args and query.startswith("BEGIN"):
            query += f" SET LOCAL search_path TO {getattr(self, 'search_path', None) or _EMPTY_PATH}"
        result: str = await super().execute(query, *args, timeout=timeout)
        return result

    def bind(self, schema: str | None) -> None:
        """The path of the transactions from now on; None: empty."""
        if schema is None:
            self.search_path = _EMPTY_PATH
            return
        self.search_path = quote_identifier(schema)
        try:
            self.schemas.add(schema)
        except AttributeError:
            self.schemas = {schema}


class Engine:
    """The pool of one database, and views of it that bind transactions to a schema."""

    def __init__(self, url: str, options: PoolOptions) -> None:
        arguments = {
            "connection_class": TenantConnection,
            "timeout": options.connect_timeout,
            "server_settings": {"application_name": "saas", "timezone": "UTC", "jit": "off"},
            **_statement_options(options),
        }
        self.engine: AsyncEngine = create_async_engine(
            async_url(url),
            poolclass=FairPool,
            pool_size=options.size,
            max_overflow=0,
            pool_timeout=options.timeout,
            pool_use_lifo=True,
            connect_args=arguments,
        )
        #: A new connection for each transaction: nothing was prepared on it before (see `tenants.stale`).
        self._fresh = create_async_engine(async_url(url), poolclass=NullPool, connect_args=arguments)
        self._max_tenants = options.max_tenants
        self._renewing: set[asyncio.Task[None]] = set()
        event.listen(self.engine.sync_engine, "begin", _bind_path)
        event.listen(self._fresh.sync_engine, "begin", _bind_path)
        event.listen(self.engine.sync_engine, "checkin", self._recycle)
        #: Making one costs a tenth of a small transaction.
        self._views: dict[str, AsyncEngine] = {}

    async def close(self) -> None:
        for task in self._renewing:
            task.cancel()
        if self._renewing:
            await asyncio.wait(self._renewing)
        await self.engine.dispose()

    def bare(self) -> AsyncEngine:
        """What transactions without a tenant use."""
        return self._fresh if wants_fresh() else self.engine

    def of(self, schema: str) -> AsyncEngine:
        """A view whose transactions see the schema and nothing else."""
        if wants_fresh():
            return self._fresh.execution_options(**{_SCHEMA_OPTION: schema})
        view = self._views.get(schema)
        if view is None:
            if len(self._views) >= _MAX_VIEWS:
                self._views.clear()
            view = self._views[schema] = self.engine.execution_options(**{_SCHEMA_OPTION: schema})
        return view

    async def checkout(self, schema: str) -> PoolProxiedConnection:
        """A connection bound to the schema that is still open, as far as one can tell without asking the server."""
        while True:
            pooled = await self.engine.raw_connection()
            driver = _driver_of(pooled)
            if not driver.is_closed():
                driver.bind(schema)
                if wants_fresh():
                    await driver.reload_schema_state()  # forgets what it has prepared, without asking the server
                return pooled
            pooled.invalidate()

    def _recycle(self, _connection: object, entry: ConnectionPoolEntry) -> None:
        """A connection has come back: have one that remembers too much replaced when it is taken out again."""
        driver = entry.driver_connection
        if driver is not None and len(getattr(driver, "schemas", ())) >= self._max_tenants:
            entry.invalidate(soft=True)
            task = asyncio.get_running_loop().create_task(self._renew())
            self._renewing.add(task)
            task.add_done_callback(self._renewing.discard)

    async def _renew(self) -> None:
        """Take it out now, which connects anew, so that no request waits for that: last in is first out."""
        with suppress(Exception):  # a database that is gone is for the next request to tell of
            (await self.engine.raw_connection()).close()


def quote_identifier(name: str) -> str:
    """`name` as an SQL identifier. Schema names are ours, yet they are quoted as if they were not."""
    return '"' + name.replace('"', '""') + '"'


def async_url(url: str) -> str:
    """A `postgresql://` URL, as operators write it, with the driver that this code uses."""
    parsed = make_url(url)
    return parsed.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


def _statement_options(options: PoolOptions) -> Mapping[str, Any]:
    if options.statement_cache:
        return {}
    return {
        "statement_cache_size": 0,
        "prepared_statement_cache_size": 0,
        # Two clients of a pooler share a server connection: a counter of each would give the same names.
        "prepared_statement_name_func": lambda: f"s_{uuid4().hex}",
    }


def _driver_of(pooled: PoolProxiedConnection) -> TenantConnection:
    driver = pooled.driver_connection
    if not isinstance(driver, TenantConnection):
        raise TypeError("The engine was not made by tenants.engine")
    return driver


def _bind_path(connection: SyncConnection) -> None:
    _driver_of(connection.connection).bind(connection.get_execution_options().get(_SCHEMA_OPTION))
