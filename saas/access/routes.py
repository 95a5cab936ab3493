"""The caller's own view: who am I, and what could I be allowed to do."""

from typing import Annotated

from fastapi import Request

from saas.access.caller import Caller
from saas.access.guards import require
from saas.access.schemas import Me, PlanView, ScopeList, ScopeView, TenantView
from saas.access.scopes import ScopeCatalogue
from saas.web.api import api_router
from saas.web.deps import CurrentTenant

router = api_router("", "Access")


@router.get("/me", summary="Who am I")
async def read_me(caller: Annotated[Caller, require()], tenant: CurrentTenant) -> Me:
    """The caller, its scopes, the tenant and the limits of the tenant's plan. Any access token will do."""
    plan = tenant.plan
    return Me(
        subject=caller.subject,
        client_id=caller.client_id,
        scopes=sorted(caller.scopes),
        expires_at=caller.expires_at,
        tenant=TenantView(slug=tenant.slug, name=tenant.name, issuer=tenant.issuer),
        plan=PlanView(
            name=plan.name,
            requests_per_minute=plan.requests_per_minute,
            burst=plan.burst,
            requests_per_day=plan.requests_per_day,
        ),
    )


@router.get("/scopes", summary="What a token may allow", dependencies=[require()])
async def list_scopes(request: Request) -> ScopeList:
    """Every scope of this deployment. Any access token will do."""
    catalogue: ScopeCatalogue = request.app.state.catalogue
    return ScopeList(
        items=[
            ScopeView(name=item.name, description=item.description, category=item.category, sensitive=item.sensitive)
            for item in catalogue
        ]
    )
