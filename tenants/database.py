"""The way to the databases: one transaction, one tenant, and no round trip more than the transaction itself."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.pool import PoolProxiedConnection

from tenants.changes import Change, HasInfo, count_epoch, take_after_commit
from tenants.direct import Direct
from tenants.engine import Engine, PoolOptions
from tenants.errors import DatabaseNotFound
from tenants.schemas import DISTRIBUTES
from tenants.stale import WatchedSession, failed, watched, wrote
from tenants.statements import Statement

#: The database of SAAS_DATABASE_URL, which holds the registry.
DEFAULT: Final = "default"
Kind = Literal["postgresql", "citus"]

_BEFORE: Final = "tenants.before_commit"


class HasSchema(Protocol):
    """Where a tenant's data is."""

    @property
    def schema(self) -> str: ...
    @property
    def database(self) -> str: ...


def before_commit(session: HasInfo, action: Callable[[], Awaitable[None]]) -> None:
    """Run `action` as one of the last statements of this transaction, in which it may work; never if it rolls back."""
    session.info.setdefault(_BEFORE, []).append(action)


class Database:
    """An engine for each database, and sessions that are one transaction each: committed at the end of the block, or
    rolled back.

    `others` are the URLs of further databases by name; `weights` say how many of the new tenants go where, and 0 that
    none do. `on_commit` hears of each committed change that the transaction marked (see `tenants.changes`).
    """

    def __init__(
        self,
        url: str,
        *,
        others: Mapping[str, str] = MappingProxyType({}),
        weights: Mapping[str, int] = MappingProxyType({}),
        kind: Kind = "postgresql",
        pool_size: int = 10,
        pool_timeout: float = 5.0,
        options: PoolOptions | None = None,
        on_commit: Callable[[Change], Awaitable[None]] | None = None,
    ) -> None:
        """`options` replace `pool_size` and `pool_timeout`. A database without a weight has 1.

        Raises DatabaseNotFound where a weight is that of no database.
        """
        options = options or PoolOptions(pool_size, pool_timeout)
        self.kind: Final = kind
        self._info: Final = {DISTRIBUTES: True} if kind == "citus" else None
        self._engines = {name: Engine(address, options) for name, address in {DEFAULT: url, **others}.items()}
        #: The default one first.
        self.names: Final = tuple(self._engines)
        for name in weights:
            self._on(name)
        self.weights: Final = {name: weights.get(name, 1) for name in self.names}
        self.on_commit = on_commit

    @property
    def engine(self) -> AsyncEngine:
        """That of the default database."""
        return self._engines[DEFAULT].engine

    def engine_of(self, name: str) -> AsyncEngine:
        """Raises DatabaseNotFound."""
        return self._on(name).engine

    async def close(self) -> None:
        for engine in self._engines.values():
            await engine.close()

    def shares_registry(self, tenant: HasSchema) -> bool:
        """One transaction can change both the registry and the tenant's schema."""
        return tenant.database == DEFAULT

    @asynccontextmanager
    async def platform_session(self, name: str = DEFAULT) -> AsyncIterator[AsyncSession]:
        """A transaction on the platform's tables. The search path is empty. The registry is the default database's."""
        async with self._transaction(self._on(name).bare(), name) as session:
            yield session

    @asynccontextmanager
    async def tenant_session(self, tenant: HasSchema) -> AsyncIterator[AsyncSession]:
        """A transaction whose search path is the tenant's schema and nothing else."""
        engine = self._on(tenant.database).of(tenant.schema)
        async with self._transaction(engine, tenant.database, self._info) as session:
            yield session

    @asynccontextmanager
    async def registry_and_schema(self, tenant: HasSchema) -> AsyncIterator[tuple[AsyncSession, AsyncSession]]:
        """Sessions for a change of both (registry, schema): one and the same where they share a database.

        Elsewhere the schema's commits first, while the registry's still holds its locks. Stopped in between, only the
        schema has changed, and the caller is run again: what it does to the schema has to be repeatable. Lock the
        registry's row before the schema is touched.
        """
        if self.shares_registry(tenant):
            async with self.tenant_session(tenant) as session:
                yield session, session
            return
        async with self.platform_session() as registry, self.tenant_session(tenant) as schema:
            yield registry, schema

    def direct(self, tenant: HasSchema, *, read_only: bool = False) -> AbstractAsyncContextManager[Direct]:
        """A transaction like that of `tenant_session`, for a quarter of its CPU time: see `tenants.direct`.

        Raises ConnectionError where the connection is lost on the way, and the driver's errors.
        """

        async def connect() -> PoolProxiedConnection:
            return await self._on(tenant.database).checkout(tenant.schema)

        return _DirectTransaction(Direct(connect, "BEGIN READ ONLY;" if read_only else "BEGIN;"), read_only)

    async def read_one(self, tenant: HasSchema, statement: Statement, **values: Any) -> asyncpg.Record | None:
        """The first row of one SELECT, in a read-only transaction of its own (see `direct`)."""
        async with self.direct(tenant, read_only=True) as direct:
            return await direct.row(statement, **values)

    def _on(self, name: str) -> Engine:
        try:
            return self._engines[name]
        except KeyError:
            raise DatabaseNotFound(
                f"There is no database {name!r} here: set SAAS_DATABASES__{name.upper()} for every process"
            ) from None

    @asynccontextmanager
    async def _transaction(
        self, bind: AsyncEngine, name: str, info: dict[str, Any] | None = None
    ) -> AsyncIterator[AsyncSession]:
        async with AsyncSession(bind, sync_session_class=WatchedSession, expire_on_commit=False, info=info) as session:
            with watched(session.info):
                yield session
                await _flush(session)
                if await _run_before(session):
                    await _flush(session)
                change = await count_epoch(session, name)
                await session.commit()
            actions = take_after_commit(session)
        if change is not None and self.on_commit is not None:
            await self.on_commit(change)
        for action in actions:
            await action()


class _DirectTransaction(AbstractAsyncContextManager[Direct]):
    """A class, since this is done all the time: a generator would take a tenth more of a short transaction's time."""

    __slots__ = ("_direct", "_read_only")

    def __init__(self, direct: Direct, read_only: bool) -> None:
        self._direct = direct
        self._read_only = read_only

    async def __aenter__(self) -> Direct:
        return self._direct

    async def __aexit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        direct = self._direct
        try:
            if error is not None:
                await self._undo(error)
                return
            try:
                await _run_before(direct)
                await direct.commit()
            except BaseException as late:
                await self._undo(late)
                raise
        finally:
            direct.release()
        if not self._read_only:
            wrote()
        for action in take_after_commit(direct):
            await action()

    async def _undo(self, error: BaseException) -> None:
        failed(error)
        await self._direct.abandon(error)
        if isinstance(error, Exception) and self._direct.lost:
            raise ConnectionError("The connection to the database was lost") from error


async def _flush(session: AsyncSession) -> None:
    if session.new or session.dirty or session.deleted:
        await session.flush()


async def _run_before(session: HasInfo) -> bool:
    actions: list[Callable[[], Awaitable[None]]] = session.info.pop(_BEFORE, [])
    for action in actions:
        await action()
    return bool(actions)
