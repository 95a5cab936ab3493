"""`saas tenants shell`: psql or Python, in a tenant's schema."""

import asyncio
import code
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from saas.cli import output
from saas.cli.runtime import run
from saas.cli.tenants.records import Slug

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from saas.services import Services
    from tenants.registry import Tenant


def shell(
    slug: Slug,
    python: Annotated[bool, typer.Option("--python", help="A Python prompt instead of psql.")] = False,
) -> None:
    """Open psql on a tenant's schema, or with --python a prompt with `session` and `tenant`.

    In Python, `session` is an SQLAlchemy session in a transaction that sees the tenant's tables and no others; `text`
    and `select` are there too. What is not committed with `session.commit()` is undone at the end.
    """

    async def work(services: "Services") -> int:
        async with services.database.platform_session() as session:
            tenant = await services.registry.get_made(session, slug)
        if not python:
            with _interrupts_are_its_own():
                return await asyncio.to_thread(_psql, services, tenant)
        async with services.database.tenant_session(tenant) as session:
            await session.run_sync(_prompt, tenant)
            await session.rollback()
        return 0

    exit_code = run(work)
    if exit_code:
        raise typer.Exit(exit_code)


def _prompt(session: "Session", tenant: "Tenant") -> None:
    """It blocks the event loop, which has nothing else to do; statements run there meanwhile."""
    from sqlalchemy import select, text  # noqa: PLC0415 - slow to import: not for `--help`

    names = {"session": session, "tenant": tenant, "select": select, "text": text}
    banner = f"{tenant.name} ({tenant.slug}), schema {tenant.schema}. Here: {', '.join(names)}."
    code.interact(banner, local=names, exitmsg="")


def _psql(services: "Services", tenant: "Tenant") -> int:
    from saas.cli.tenants.binding import environment_of  # noqa: PLC0415 - slow to import: not for `--help`
    from saas.dev.postgres import program  # noqa: PLC0415 - as above

    psql = shutil.which("psql") or program("psql")
    if psql is None:
        output.fail("psql is not installed: install PostgreSQL's client, or give --python")
    environment = {**os.environ, **environment_of(tenant, services.database.engine_of(tenant.database).url)}
    return subprocess.call([psql], env=environment)  # noqa: S603 - the program is psql


@contextmanager
def _interrupts_are_its_own() -> Iterator[None]:
    """Ctrl-C ends a query of psql, and not this process, which has to outlive it."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
