"""The sample feature: projects of a tenant. Copy this folder to begin one of your own."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select

from saas.access.scopes import Scope
from saas.product.projects.scopes import READ, WRITE
from saas.product.projects.service import ROWS

if TYPE_CHECKING:
    from saas.product.projects.routes import router

SCOPES: tuple[Scope, ...] = (READ, WRITE)
ACTIONS: Mapping[str, str] = {
    "project.created": "Created a project",
    "project.changed": "Changed a project",
    "project.deleted": "Deleted a project",
}
CAPPED: Mapping[str, Select[Any]] = {"projects": ROWS}

__all__ = ["ACTIONS", "CAPPED", "SCOPES", "router"]


def __getattr__(name: str) -> Any:
    """`router`, once it is asked for: FastAPI is slow to import, and commands, which serve nothing, do without."""
    if name != "router":
        raise AttributeError(f"{__name__} has no {name!r}")
    from saas.product.projects.routes import router  # noqa: PLC0415

    return router
