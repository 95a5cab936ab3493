"""Projects of one tenant: the session decides of which. Nothing here commits."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, delete, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from saas.product.projects.errors import ProjectNotFound
from saas.product.projects.models import ProjectRow
from saas.product.projects.schemas import NewProject, Project, ProjectChange, Sort, Status
from saas.web.paging import Page, decode_cursor, encode_cursor, parse_instant
from tenants.base import new_id, utc_now

# Columns, not entities: these rows are read, answered with and forgotten, so nothing has to keep track of them.
_table: Final[Table] = ProjectRow.metadata.tables[ProjectRow.__tablename__]
_columns: Final = [_table.c[name] for name in Project.model_fields]
_by_id: Final = select(*_columns)


async def create_project(session: AsyncSession, new: NewProject, created_by: str) -> Project:
    now = utc_now()
    project = Project(id=new_id(), created_by=created_by, created_at=now, updated_at=now, **new.model_dump())
    await session.execute(insert(_table).values(project.model_dump()))
    return project


async def find_project(session: AsyncSession, project_id: UUID) -> Project:
    """Raises ProjectNotFound."""
    row = (await session.execute(_by_id.where(_table.c.id == project_id))).one_or_none()
    if row is None:
        raise ProjectNotFound(project_id)
    return _project(row)


async def change_project(session: AsyncSession, project_id: UUID, change: ProjectChange) -> Project:
    """Raises ProjectNotFound."""
    values = change.model_dump(exclude_unset=True)
    if not values:
        return await find_project(session, project_id)
    statement = update(_table).where(_table.c.id == project_id).values(**values, updated_at=utc_now())
    row = (await session.execute(statement.returning(*_columns))).one_or_none()
    if row is None:
        raise ProjectNotFound(project_id)
    return _project(row)


async def delete_project(session: AsyncSession, project_id: UUID) -> None:
    """Raises ProjectNotFound."""
    statement = delete(_table).where(_table.c.id == project_id).returning(_table.c.id)
    if (await session.execute(statement)).one_or_none() is None:
        raise ProjectNotFound(project_id)


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
    found = [_project(row) for row in await session.execute(statement)]
    items = found[:limit]
    return Page(items=items, next_cursor=_place_of(items[-1], sort) if len(found) > limit else None)


def _after(sort: Sort, cursor: str | None) -> Select[Any]:
    """Rows in order, from the cursor on. The id makes the order total, and the index covers both columns."""
    key = _table.c[sort.removeprefix("-")]
    descending = sort.startswith("-")
    order: list[ColumnElement[Any]] = [key.desc(), _table.c.id.desc()] if descending else [key, _table.c.id]
    statement = _by_id.order_by(*order)
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


def _project(row: Any) -> Project:
    """Skips validation: what was checked on its way in needs no second look on its way out."""
    return Project.model_construct(**row._mapping)  # noqa: SLF001 - public: it avoids the names of columns
