"""Alembic's way in: it calls this file for `alembic -n platform revision --autogenerate` and `check`."""

from migrations import metadata
from migrations.environment import run
from tenants.migrate.render import PLATFORM

run(PLATFORM, metadata.PLATFORM)
