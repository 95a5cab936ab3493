"""Administration over the API: one file a noun, each with a `router`; `saas.main` mounts them below its prefix."""

from typing import Final

from fastapi import APIRouter

from saas.api import audit, usage

#: In the order of the OpenAPI document.
routers: Final[list[APIRouter]] = [audit.router, usage.router]
