"""What is written down of a move, so that one that was killed can be finished, or undone, by anybody."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.base import utc_now
from tenants.changes import mark_changed
from tenants.database import Database
from tenants.errors import TransferRefused
from tenants.migrate.runner import lock
from tenants.models import TenantRow, TransferRow
from tenants.registry import Registry
from tenants.transfer.copying import drop_schema
from tenants.transfer.entry import unfinished


@dataclass(frozen=True, slots=True)
class Place:
    """A schema of a tenant, in one database."""

    id: UUID
    schema: str
    database: str


@dataclass(frozen=True, slots=True)
class Move:
    """`resumed`: somebody else has begun it."""

    id: UUID
    slug: str
    tenant_id: UUID
    schema: str
    source: str
    target: str
    status_before: str
    keep: timedelta
    resumed: bool

    @property
    def origin(self) -> Place:
        return Place(self.tenant_id, self.schema, self.source)

    @property
    def destination(self) -> Place:
        return Place(self.tenant_id, self.schema, self.target)

    @property
    def kept(self) -> Place:
        """The old copy, once it is one: under this name nobody writes to it."""
        return Place(self.tenant_id, f"moved_{self.id.hex}", self.source)


@dataclass(frozen=True, slots=True)
class Known:
    """A move as `saas tenants move --status` shows it. `state`: under way, or done; `drop_at`: of the old copy."""

    slug: str | None
    source: str
    target: str
    state: str
    started_at: datetime
    drop_at: datetime | None


async def find(session: AsyncSession, slug: str) -> Move | None:
    """The move of this tenant that is under way, or was stopped there."""
    row = await session.scalar(select(TenantRow).where(TenantRow.slug == slug).with_for_update())
    begun = None if row is None else await unfinished(session, row.id)
    return None if row is None or begun is None or begun.kind != "move" else _move(row.slug, begun, resumed=True)


async def fence(session: AsyncSession, registry: Registry, slug: str, to: str, keep: timedelta) -> Move:
    """Let the tenant's requests wait from this transaction's commit on. Raises TenantNotFound and TenantNotReady."""
    row = await registry.changeable(session, slug)
    begun = TransferRow(
        tenant_id=row.id,
        kind="move",
        schema=row.schema,
        source=row.database,
        target=to,
        status_before=row.status,
        keep_seconds=int(keep.total_seconds()),
    )
    row.status = "moving"
    session.add(begun)
    mark_changed(session, row.id)
    await session.flush()
    return _move(slug, begun, resumed=False)


async def check_open(session: AsyncSession, move: Move) -> None:
    """Raise TransferRefused where somebody else has finished it, or undone it. The caller holds its lock."""
    state = await session.scalar(select(TransferRow.state).where(TransferRow.id == move.id))
    if state != "under way":
        raise TransferRefused(f"{move.slug} is not being moved any more: see `saas tenants show {move.slug}`")


async def switch(session: AsyncSession, move: Move) -> datetime:
    """The tenant is in its new place from this transaction's commit on; when the old copy is dropped."""
    await _serve(session, move, move.target)
    drop_at = utc_now() + move.keep
    done = update(TransferRow).where(TransferRow.id == move.id).values(state="done", drop_at=drop_at)
    await session.execute(done)
    return drop_at


async def unfence(session: AsyncSession, move: Move) -> None:
    """Serve the tenant where it was; the move has never been."""
    await _serve(session, move, move.source)
    await session.execute(delete(TransferRow).where(TransferRow.id == move.id))


async def list_moves(session: AsyncSession) -> list[Known]:
    """Those under way, and those whose old copy is still there, the oldest first."""
    rows = await session.execute(
        select(TransferRow, TenantRow.slug)
        .outerjoin(TenantRow, TenantRow.id == TransferRow.tenant_id)
        .where(TransferRow.kind == "move")
        .order_by(TransferRow.id)
    )
    return [Known(slug, row.source or "", row.target, row.state, row.created_at, row.drop_at) for row, slug in rows]


async def drop_old_copies(database: Database) -> int:
    """Drop what moves have left, when its time is over or its tenant is gone; how many. Raises SchemaBusy."""
    gone = TransferRow.tenant_id.not_in(select(TenantRow.id))
    async with database.platform_session() as session:
        await session.execute(delete(TransferRow).where(TransferRow.kind == "import", gone))
        rows = await session.scalars(
            select(TransferRow).where(
                TransferRow.kind == "move",
                TransferRow.state == "done",
                or_(TransferRow.drop_at <= utc_now(), gone),
                TransferRow.source.in_(database.names),
            )
        )
        over = [_move("", row, resumed=False) for row in rows]
    for move in over:
        async with database.tenant_session(move.kept) as session:
            await lock(session, move.kept.schema)
            await drop_schema(session, move.kept.schema)
        async with database.platform_session() as session:
            await session.execute(delete(TransferRow).where(TransferRow.id == move.id))
    return len(over)


async def _serve(session: AsyncSession, move: Move, database: str) -> None:
    served = await session.scalar(
        update(TenantRow)
        .where(TenantRow.id == move.tenant_id, TenantRow.status == "moving")
        .values(status=move.status_before, database=database)
        .returning(TenantRow.id)
    )
    if served is None:
        raise TransferRefused(f"{move.slug} is not being moved any more: see `saas tenants show {move.slug}`")
    mark_changed(session, move.tenant_id)


def _move(slug: str, row: TransferRow, *, resumed: bool) -> Move:
    return Move(
        row.id,
        slug,
        row.tenant_id,
        row.schema,
        row.source or "",
        row.target,
        row.status_before or "",
        timedelta(seconds=row.keep_seconds or 0),
        resumed,
    )
