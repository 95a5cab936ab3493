"""What the commands for one tenant share: `--tenant`, and work in a transaction of its schema."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from saas.cli.runtime import run

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from saas.services import Services
    from tenants.registry import Tenant

T = TypeVar("T")

TenantOption = Annotated[str, typer.Option("--tenant", help="The tenant's slug.", show_default=False)]


async def find_tenant(services: "Services", slug: str) -> "Tenant":
    """One whose schema can be worked in. Raises TenantNotFound and TenantNotReady."""
    async with services.database.platform_session() as session:
        return await services.registry.get_made(session, slug)


def run_in_tenant(slug: str, work: "Callable[[Services, Tenant, AsyncSession], Awaitable[T]]") -> T:
    """Like `runtime.run`, in one transaction of the tenant."""

    async def in_session(services: "Services") -> T:
        tenant = await find_tenant(services, slug)
        async with services.database.tenant_session(tenant) as session:
            return await work(services, tenant, session)

    return run(in_session)
