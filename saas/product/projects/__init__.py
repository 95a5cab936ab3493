"""The sample feature: projects of a tenant. Copy this folder to begin one of your own."""

from saas.access.scopes import Scope
from saas.product.projects.routes import router
from saas.product.projects.scopes import READ, WRITE

SCOPES: tuple[Scope, ...] = (READ, WRITE)

__all__ = ["SCOPES", "router"]
