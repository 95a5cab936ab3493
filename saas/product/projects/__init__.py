"""The sample feature: projects of a tenant. Copy this folder to begin one of your own."""

from collections.abc import Mapping

from saas.access.scopes import Scope
from saas.product.projects.routes import router
from saas.product.projects.scopes import READ, WRITE

SCOPES: tuple[Scope, ...] = (READ, WRITE)
ACTIONS: Mapping[str, str] = {
    "project.created": "Created a project",
    "project.changed": "Changed a project",
    "project.deleted": "Deleted a project",
}

__all__ = ["ACTIONS", "SCOPES", "router"]
