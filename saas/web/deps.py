"""What routes ask FastAPI for."""

from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import Depends, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.database import Database
from tenants.registry import Tenant

_MAX_CURSOR: Final = 2048


async def current_tenant(request: Request) -> Tenant:
    """The tenant that the request is for."""
    tenant: Tenant = request.scope["tenant"]
    return tenant


async def tenant_session(request: Request) -> AsyncIterator[AsyncSession]:
    """The request's one transaction, in its tenant's schema."""
    database: Database = request.app.state.database
    async with database.tenant_session(request.scope["tenant"]) as session:
        yield session


CurrentTenant = Annotated[Tenant, Depends(current_tenant)]
#: Scope "function": the transaction commits before the answer is sent, so that nobody holds an answer that is not true.
TenantSession = Annotated[AsyncSession, Depends(tenant_session, scope="function")]
#: How much of a list is asked for, and where it begins (see `saas.web.paging`).
Limit = Annotated[int, Query(ge=1, le=100, description="How many to answer with at most")]
CursorText = Annotated[
    str | None,
    Query(max_length=_MAX_CURSOR, description="`next_cursor` of the page before, with the same sort and filters"),
]
