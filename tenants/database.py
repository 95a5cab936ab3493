"""The way to the database: one transaction, one tenant, and no round trip more than the transaction itself."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import Connection as SyncConnection
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import PoolProxiedConnection

from tenants.changes import Change, count_epoch, take_after_commit
from tenants.direct import Direct
from tenants.statements import Statement

if TYPE_CHECKING:
    _Connection = asyncpg.Connection[asyncpg.Record]
else:
    _Connection = asyncpg.Connection  # not subscriptable at run time

_SCHEMA_OPTION = "tenant_schema"
_MAX_ENGINES = 5_000


class HasSchema(Protocol):
    @property
    def schema(self) -> str: ...


class TenantConnection(_Connection):
    """Sends `SET LOCAL search_path` in the same message as BEGIN.

    It lasts as long as the transaction, so nothing leaks to the next user of the connection, not even through
    PgBouncer in transaction mode. Without a tenant the path is empty: a query on a tenant's table fails.
    """

    __slots__ = ("search_path",)

    search_path: str

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        if not args and query.startswith("BEGIN"):
            query += f" SET LOCAL search_path TO {getattr(self, 'search_path', None) or _EMPTY_PATH}"
        result: str = await super().execute(query, *args, timeout=timeout)
        return result


_EMPTY_PATH = "''"


def quote_identifier(name: str) -> str:
    """`name` as an SQL identifier. Schema names are ours, yet they are quoted as if they were not."""
    return '"' + name.replace('"', '""') + '"'


def async_url(url: str) -> str:
    """A `postgresql://` URL, as operators write it, with the driver that this code uses."""
    parsed = make_url(url)
    return parsed.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


def _bind_path(connection: SyncConnection) -> None:
    schema: str | None = connection.get_execution_options().get(_SCHEMA_OPTION)
    driver = connection.connection.driver_connection
    if not isinstance(driver, TenantConnection):
        raise TypeError("The engine was not made by tenants.database")
    driver.search_path = quote_identifier(schema) if schema else _EMPTY_PATH


class Database:
    """An engine, and sessions that are one transaction each: committed at the end of the block, or rolled back.

    `on_commit` hears of each committed change that the transaction marked (see `tenants.changes`).
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        pool_timeout: float = 5.0,
        connect_timeout: float = 5.0,
        on_commit: Callable[[Change], Awaitable[None]] | None = None,
    ) -> None:
        self.engine: AsyncEngine = create_async_engine(
            async_url(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=pool_timeout,
            pool_use_lifo=True,
            connect_args={
                "connection_class": TenantConnection,
                "timeout": connect_timeout,
                "server_settings": {"application_name": "saas", "timezone": "UTC", "jit": "off"},
            },
        )
        event.listen(self.engine.sync_engine, "begin", _bind_path)
        self.on_commit = on_commit
        #: Views of the one engine that bind transactions to a schema; making one costs a tenth of a small transaction.
        self._engines: dict[str, AsyncEngine] = {}

    async def close(self) -> None:
        await self.engine.dispose()

    @asynccontextmanager
    async def platform_session(self) -> AsyncIterator[AsyncSession]:
        """A transaction on the platform's tables. The search path is empty."""
        async with self._transaction(self.engine) as session:
            yield session

    @asynccontextmanager
    async def tenant_session(self, tenant: HasSchema) -> AsyncIterator[AsyncSession]:
        """A transaction whose search path is the tenant's schema and nothing else."""
        async with self._transaction(self._engine_of(tenant.schema)) as session:
            yield session

    @asynccontextmanager
    async def direct(self, tenant: HasSchema, *, read_only: bool = False) -> AsyncIterator[Direct]:
        """A transaction like that of `tenant_session`, for a quarter of its CPU time: see `tenants.direct`.

        Raises ConnectionError where the connection is lost on the way, and the driver's errors.
        """

        async def connect() -> PoolProxiedConnection:
            pooled, driver = await self._checkout()
            driver.search_path = quote_identifier(tenant.schema)
            return pooled

        direct = Direct(connect, "BEGIN READ ONLY;" if read_only else "BEGIN;")
        try:
            yield direct
            await direct.commit()
        except BaseException as error:
            await direct.abandon(error)
            if isinstance(error, Exception) and direct.lost:
                raise ConnectionError("The connection to the database was lost") from error
            raise
        finally:
            direct.release()
        for action in take_after_commit(direct):
            await action()

    async def read_one(self, tenant: HasSchema, statement: Statement, **values: Any) -> asyncpg.Record | None:
        """The first row of one SELECT, in a read-only transaction of its own (see `direct`)."""
        async with self.direct(tenant, read_only=True) as direct:
            return await direct.row(statement, **values)

    async def _checkout(self) -> tuple[PoolProxiedConnection, TenantConnection]:
        """A connection of the pool that is still open, as far as one can tell without asking the server."""
        while True:
            pooled = await self.engine.raw_connection()
            driver = pooled.driver_connection
            if not isinstance(driver, TenantConnection):
                raise TypeError("The engine was not made by tenants.database")
            if not driver.is_closed():
                return pooled, driver
            pooled.invalidate()

    def _engine_of(self, schema: str) -> AsyncEngine:
        engine = self._engines.get(schema)
        if engine is None:
            if len(self._engines) >= _MAX_ENGINES:
                self._engines.clear()
            engine = self._engines[schema] = self.engine.execution_options(**{_SCHEMA_OPTION: schema})
        return engine

    @asynccontextmanager
    async def _transaction(self, bind: AsyncEngine) -> AsyncIterator[AsyncSession]:
        async with AsyncSession(bind, expire_on_commit=False) as session:
            yield session
            if session.new or session.dirty or session.deleted:
                await session.flush()
            change = await count_epoch(session)
            await session.commit()
            actions = take_after_commit(session)
        if change is not None and self.on_commit is not None:
            await self.on_commit(change)
        for action in actions:
            await action()
