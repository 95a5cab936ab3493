"""The sample feature: projects of a tenant. Copy this folder to begin one of your own."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select

from saas.access.scopes import Scope
from saas.product.projects.scopes import READ, WRITE
from saas.product.projects.service import ROWS

if TYPE_CHECKING:
    from fastapi import APIRouter

SCOPES: tuple[Scope, ...] = (READ, WRITE)
ACTIONS: Mapping[str, str] = {
    "project.created": "Created a project",
    "project.changed": "Changed a project",
    "project.deleted": "Deleted a project",
}
CAPPED: Mapping[str, Select[Any]] = {"projects": ROWS}


def api() -> "APIRouter":
    """Imported when asked for: commands, which serve nothing, do without FastAPI."""
    from saas.product.projects.routes import router  # noqa: PLC0415

    return router
