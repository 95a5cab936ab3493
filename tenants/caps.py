"""Room for one more: a plan's caps, held against those who add rows at the same moment.

A service that adds rows of a capped kind asks first, in the transaction that adds the row:

    await admit(session, tenant, "projects", select(_table.c.id))

Where the plan has no cap this costs nothing. Where it has one, those who add to a tenant's rows of that kind come one
after the other, and each counts what is there: at most as many rows as the cap says, whatever the table holds. A stored
count would cost less, but every way in which a row can go would have to keep it true.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.plans import check_cap
from tenants.registry import Tenant


async def count(session: AsyncSession, rows: Mapping[str, Select[Any]]) -> dict[str, int]:
    """How many there are of each, by name. One SELECT."""
    counts = [select(func.count()).select_from(each.subquery()).scalar_subquery() for each in rows.values()]
    return dict(zip(rows, (await session.execute(select(*counts))).one(), strict=True)) if counts else {}


async def admit(session: AsyncSession, tenant: Tenant, name: str, rows: Select[Any], *, added: int = 0) -> None:
    """Raises CapReached unless the tenant may have one more of `name`, a cap of its plan; `rows` are those it has.

    Until the transaction ends, nobody else is admitted. `added`: how many of the rows are the caller's own already;
    then the caller has to let the error end the transaction.
    """
    cap: int | None = getattr(tenant.plan, name)
    if cap is None:
        return
    # Two statements: the count has to see what those have committed who were waited for.
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{name} of {tenant.id}", 0))))
    bounded = rows.limit(cap + added).subquery()
    if await session.scalar(select(func.count()).select_from(bounded)) == cap + added:
        count = await session.scalar(select(func.count()).select_from(rows.subquery()))
        check_cap(tenant.plan, name, (count or 0) - added)
