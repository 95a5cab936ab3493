"""The sample feature: projects of a tenant. Copy this folder to begin one of your own."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select

from saas.access.scopes import Scope
from saas.product.projects.routes import router
from saas.product.projects.scopes import READ, WRITE
from saas.product.projects.service import ROWS

SCOPES: tuple[Scope, ...] = (READ, WRITE)
ACTIONS: Mapping[str, str] = {
    "project.created": "Created a project",
    "project.changed": "Changed a project",
    "project.deleted": "Deleted a project",
}
CAPPED: Mapping[str, Select[Any]] = {"projects": ROWS}

__all__ = ["ACTIONS", "CAPPED", "SCOPES", "router"]
