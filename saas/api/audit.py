"""/audit"""

from collections.abc import AsyncIterator
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator, AwareDatetime

from saas.access.guards import require, requires_feature
from saas.audit.formats import FORMATS, exported
from saas.audit.log import Event, EventFilter
from saas.web.api import api_router
from saas.web.deps import CursorText, Limit, TenantSession
from saas.web.paging import Page, parse_instant
from saas.web.text import Line

router = api_router("/audit", "Audit log")

_reader: Final = require("audit:read")
_MAX_TEXT: Final = 400
#: In UTC, where it has to have a name, too.
Instant = Annotated[AwareDatetime, AfterValidator(lambda at: parse_instant(at.isoformat()))]


async def _wanted(
    *,
    action: Annotated[
        Line | None, Query(max_length=100, description="`user.invited`, or all of a kind: `user`")
    ] = None,
    actor: Annotated[Line | None, Query(max_length=_MAX_TEXT, description="An id, or a name or e-mail address")] = None,
    target: Annotated[
        Line | None, Query(max_length=_MAX_TEXT, description="An id, or a name or e-mail address")
    ] = None,
    since: Annotated[Instant | None, Query(description="From then on, with an offset: RFC 3339")] = None,
    until: Annotated[Instant | None, Query(description="Before then")] = None,
    q: Annotated[
        Line | None, Query(max_length=200, description="A part of a name, an address or the details, in any case")
    ] = None,
) -> EventFilter:
    return EventFilter(action, actor, target, since, until, q)


Wanted = Annotated[EventFilter, Depends(_wanted)]


@router.get("", summary="List audit events", dependencies=[_reader])
async def list_events(
    request: Request, session: TenantSession, wanted: Wanted, limit: Limit = 20, cursor: CursorText = None
) -> Page[Event]:
    """The newest first."""
    page: Page[Event] = await request.app.state.audit.list(session, wanted, limit=limit, cursor=cursor)
    return page


@router.get(
    "/export",
    summary="Export audit events",
    dependencies=[_reader, requires_feature("audit-export")],
    response_class=StreamingResponse,
    responses={200: {"content": {each.media_type: {} for each in FORMATS.values()}}},
)
async def export_events(
    request: Request,
    wanted: Wanted,
    form: Annotated[
        Literal["csv", "jsonl"], Query(alias="format", description="`jsonl`: one JSON document a line")
    ] = "jsonl",
) -> Response:
    """Everything that is there now, the oldest first, as it is read. The export is an event, too."""
    state, tenant = request.app.state, request.scope["tenant"]
    lines: AsyncIterator[str] = exported(state.audit.export(state.database, tenant, wanted), form)
    return StreamingResponse(lines, media_type=FORMATS[form].media_type, headers={"Cache-Control": "no-store"})


@router.get("/{event_id}", summary="Read an audit event", dependencies=[_reader])
async def read_event(event_id: UUID, request: Request, session: TenantSession) -> Event:
    event: Event = await request.app.state.audit.find(session, event_id)
    return event
