"""Administration over the API: one file a noun, each with a `router`.

What creates takes an Idempotency-Key (`saas.idempotency.route`), what is one thing has an ETag (`saas.web.etags`).
"""

from typing import Final

from fastapi import APIRouter

from saas.api import audit, clients, consents, domains, keys, roles, settings, usage, users

#: In the order of the OpenAPI document.
routers: Final[list[APIRouter]] = [
    users.router,
    roles.router,
    clients.router,
    consents.router,
    audit.router,
    usage.router,
    settings.router,
    domains.router,
    keys.router,
]
