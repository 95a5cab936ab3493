"""Projects of one tenant: the session decides of which. Nothing here commits."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, bindparam, delete, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from saas.audit.service import Target, record
from saas.product.projects.errors import ProjectNotFound
from saas.product.projects.models import ProjectRow
from saas.product.projects.schemas import NewProject, Project, ProjectChange, Sort, Status
from saas.web.paging import Page, decode_cursor, encode_cursor, parse_instant
from tenants.base import new_id, utc_now
from tenants.caps import admit
from tenants.database import Database
from tenants.registry import Tenant
from tenants.statements import Statement

# Columns, not entities: these rows are read, answered with and forgotten, so nothing has to keep track of them.
_table: Final[Table] = ProjectRow.metadata.tables[ProjectRow.__tablename__]
_columns: Final = [_table.c[name] for name in Project.model_fields]
_all: Final = select(*_columns)
#: Which count towards the plan's cap.
ROWS: Final = select(_table.c.id)
_one: Final = _all.where(_table.c.id == bindparam("id"))
_read_one: Final = Statement(_one)


async def create_project(session: AsyncSession, tenant: Tenant, new: NewProject, created_by: str) -> Project:
    """Raises CapReached."""
    await admit(session, tenant, "projects", ROWS)
    now = utc_now()
    project = Project(id=new_id(), created_by=created_by, created_at=now, updated_at=now, **new.model_dump())
    await session.execute(insert(_table).values(project.model_dump()))
    record(session, "project.created", target=_target(project))
    return project


async def find_project(database: Database, tenant: Tenant, project_id: UUID) -> Project:
    """Raises ProjectNotFound. This is read all the time, so it does without a session; see `Database.read_one`."""
    return _project(await database.read_one(tenant, _read_one, id=project_id), project_id)


async def lock_project(session: AsyncSession, project_id: UUID) -> Project:
    """As it stays until this transaction ends, but for what the transaction does. Raises ProjectNotFound."""
    return _project((await session.execute(_one.with_for_update(), {"id": project_id})).one_or_none(), project_id)


async def change_project(session: AsyncSession, project_id: UUID, change: ProjectChange) -> Project:
    """Raises ProjectNotFound."""
    values = change.model_dump(exclude_unset=True)
    if values:
        changed = update(_table).where(_table.c.id == project_id).values(**values, updated_at=utc_now())
        project = _project((await session.execute(changed.returning(*_columns))).one_or_none(), project_id)
        record(session, "project.changed", target=_target(project), details={"changed": sorted(values)})
        return project
    return _project((await session.execute(_one, {"id": project_id})).one_or_none(), project_id)


async def delete_project(session: AsyncSession, project_id: UUID) -> None:
    """Raises ProjectNotFound."""
    statement = delete(_table).where(_table.c.id == project_id).returning(_table.c.name)
    name: str | None = await session.scalar(statement)
    if name is None:
        raise ProjectNotFound(project_id)
    record(session, "project.deleted", target=Target("project", project_id, name))


async def list_projects(
    session: AsyncSession,
    *,
    sort: Sort,
    limit: int,
    cursor: str | None = None,
    status: Status | None = None,
    query: str | None = None,
) -> Page[Project]:
    """One page. `query` is a part of the name, in any case. Raises InvalidRequest at a bad cursor."""
    statement = _after(sort, cursor).limit(limit + 1)  # one more tells whether there is a next page
    if status is not None:
        statement = statement.where(_table.c.status == status)
    if query:
        statement = statement.where(_table.c.name.icontains(query, autoescape=True))
    rows = (await session.execute(statement)).all()
    items = [_project_of(row) for row in rows[:limit]]
    return Page(items=items, next_cursor=_place_of(items[-1], sort) if len(rows) > limit else None)


def _target(project: Project) -> Target:
    return Target("project", project.id, project.name)


def _after(sort: Sort, cursor: str | None) -> Select[Any]:
    """Rows in order, from the cursor on. The id makes the order total, and the index covers both columns."""
    key = _table.c[sort.removeprefix("-")]
    descending = sort.startswith("-")
    order: list[ColumnElement[Any]] = [key.desc(), _table.c.id.desc()] if descending else [key, _table.c.id]
    statement = _all.order_by(*order)
    if cursor is None:
        return statement
    place = tuple_(*decode_cursor(cursor, sort, _parse_name if key is _table.c.name else parse_instant))
    here = tuple_(key, _table.c.id)
    return statement.where(here < place if descending else here > place)


def _place_of(project: Project, sort: Sort) -> str:
    value = project.name if sort.endswith("name") else project.created_at.isoformat()
    return encode_cursor(sort, value, project.id)


def _parse_name(value: str) -> str:
    return NewProject(name=value).name


def _project(row: Iterable[Any] | None, project_id: UUID) -> Project:
    if row is None:
        raise ProjectNotFound(project_id)
    return _project_of(row)


def _project_of(row: Iterable[Any]) -> Project:
    """Skips validation: what was checked on its way in needs no second look on its way out."""
    return Project.model_construct(**dict(zip(Project.model_fields, row, strict=True)))
