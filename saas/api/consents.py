"""/consents: which apps people have let in."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import Path, Query, Request
from pydantic import BaseModel, Field

from saas.access.guards import require
from saas.oauth.connected_apps import ConnectedAppService
from saas.oauth.errors import ConsentNotFound
from saas.oauth.grants.connections import Connected
from saas.web.api import api_router
from saas.web.deps import CurrentTenant, CursorText, Limit, TenantSession
from saas.web.paging import Page
from saas.web.text import Line

router = api_router("/consents", "Apps")

_UUID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
ConsentId = Annotated[str, Path(max_length=300, pattern=rf"^{_UUID}\.[!-~]{{1,255}}$")]


class Consent(BaseModel):
    id: str
    user_id: UUID
    email: str
    client_id: str
    client_name: str
    scopes: list[str]
    since: datetime
    last_used_at: datetime | None = Field(description="When the app last used a refresh token that it still has")


@router.get("", summary="List what people have allowed", dependencies=[require("consents:read")])
async def list_consents(
    *,
    session: TenantSession,
    request: Request,
    limit: Limit = 20,
    cursor: CursorText = None,
    client_id: Annotated[Line | None, Query(max_length=255, description="Of this app alone")] = None,
    q: Annotated[Line | None, Query(max_length=200, description="A part of the person's name or address")] = None,
) -> Page[Consent]:
    """The newest first. Apps of the company's own are here, too, while they hold a refresh token."""
    connected: ConnectedAppService = request.app.state.connected_apps
    found = await connected.across(session, limit=limit, cursor=cursor, client_id=client_id, person=q)
    return Page[Consent](items=[_view(each) for each in found.items], next_cursor=found.next_cursor)


@router.delete("/{consent_id}", status_code=204, summary="Put an app out", dependencies=[require("consents:write")])
async def revoke_consent(
    consent_id: ConsentId, session: TenantSession, tenant: CurrentTenant, request: Request
) -> None:
    """It loses all tokens that it has from this person, who is asked again when it comes back."""
    user_id, _, client_id = consent_id.partition(".")
    connected: ConnectedAppService = request.app.state.connected_apps
    if not await connected.revoke(session, tenant, UUID(user_id), client_id):
        raise ConsentNotFound("This person has not let this app in, or not any more")


def _view(connected: Connected) -> Consent:
    return Consent.model_construct(
        id=f"{connected.user_id}.{connected.client_id}",
        user_id=connected.user_id,
        email=connected.email,
        client_id=connected.client_id,
        client_name=connected.client_name,
        scopes=list(connected.scopes),
        since=connected.since,
        last_used_at=connected.last_used_at,
    )
