"""/projects

A request counts once against the tenant's limits, unless its route says that it weighs more: `@costs`, below.
"""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from saas.access.caller import Caller
from saas.access.guards import require
from saas.idempotency.route import KeyedRoute
from saas.product.projects import service
from saas.product.projects.schemas import NewProject, Project, ProjectChange, Sort, Status
from saas.product.projects.scopes import READ, WRITE
from saas.ratelimit.costs import costs
from saas.web.api import api_router
from saas.web.deps import CursorText, Limit, TenantSession
from saas.web.etags import READS_ONE, IfMatch, tag
from saas.web.paging import Page
from saas.web.text import Line

router = api_router("/projects", "Projects", route_class=KeyedRoute)

_reader = require(READ.name)
_writer = require(WRITE.name)


@router.post("", status_code=201, summary="Create a project")
async def create_project(
    new: NewProject,
    session: TenantSession,
    caller: Annotated[Caller, _writer],
    request: Request,
    response: Response,
) -> Project:
    project = await service.create_project(session, request.scope["tenant"], new, caller.subject)
    response.headers["Location"] = f"{request.scope['path'].rstrip('/')}/{project.id}"
    tag(response, project.updated_at)
    return project


@router.get("", summary="List projects", dependencies=[_reader])
@costs(2)  # up to a hundred rows, found by a part of the name
async def list_projects(
    *,
    session: TenantSession,
    sort: Sort = "-created_at",
    limit: Limit = 20,
    cursor: CursorText = None,
    status: Status | None = None,
    q: Annotated[Line | None, Query(max_length=200, description="A part of the name, in any case")] = None,
) -> Page[Project]:
    return await service.list_projects(session, sort=sort, limit=limit, cursor=cursor, status=status, query=q)


@router.get("/{project_id}", summary="Read a project", dependencies=[_reader], openapi_extra=READS_ONE)
async def read_project(project_id: UUID, request: Request, response: Response) -> Project:
    project = await service.find_project(request.app.state.database, request.scope["tenant"], project_id)
    tag(response, project.updated_at, request)
    return project


@router.patch("/{project_id}", summary="Change a project", dependencies=[_writer])
async def change_project(
    project_id: UUID, change: ProjectChange, session: TenantSession, expected: IfMatch, response: Response
) -> Project:
    if expected:
        expected.check((await service.lock_project(session, project_id)).updated_at)
    project = await service.change_project(session, project_id, change)
    tag(response, project.updated_at)
    return project


@router.delete("/{project_id}", status_code=204, summary="Delete a project", dependencies=[_writer])
async def delete_project(project_id: UUID, session: TenantSession, expected: IfMatch) -> None:
    if expected:
        expected.check((await service.lock_project(session, project_id)).updated_at)
    await service.delete_project(session, project_id)
