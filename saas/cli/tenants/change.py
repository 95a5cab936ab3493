"""`saas tenants suspend`, `resume`, `set-plan` and `brand`: changes that requests notice within a second."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from saas.cli.output import JsonOption
from saas.cli.runtime import run
from saas.cli.tenants.records import Slug, changed, print_changed

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sqlalchemy.ext.asyncio import AsyncSession

    from saas.services import Services
    from tenants.registry import Tenant


def suspend(
    slug: Slug,
    reason: Annotated[str, typer.Option(help="Shown to the tenant's users.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Refuse a tenant's requests, within a second, until it is resumed."""

    async def work(services: "Services") -> "Tenant":
        def change(session: "AsyncSession") -> "Awaitable[Tenant]":
            return services.registry.suspend(session, slug, reason)

        return await changed(services, slug, "tenant.suspended", change, reason=reason)

    print_changed(run(work), f"{slug} is suspended. Undo with `saas tenants resume {slug}`.", as_json)


def resume(slug: Slug, as_json: JsonOption = False) -> None:
    """Serve a suspended tenant again."""

    async def work(services: "Services") -> "Tenant":
        return await changed(services, slug, "tenant.resumed", lambda session: services.registry.resume(session, slug))

    print_changed(run(work), f"{slug} is active.", as_json)


def set_plan(
    slug: Slug,
    plan: Annotated[str, typer.Argument(help="See `saas plans list`.", show_default=False)],
    version: Annotated[
        int | None,
        typer.Option(min=1, help="Stay at this version of the plan (`saas plans history`).", show_default="follow it"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Put a tenant on another plan; its limits follow within a second, and so they do when the plan changes."""

    async def work(services: "Services") -> "Tenant":
        def change(session: "AsyncSession") -> "Awaitable[Tenant]":
            return services.registry.set_plan(session, slug, plan, version=version)

        return await changed(services, slug, "tenant.plan_changed", change, plan=plan, version=version)

    print_changed(run(work), f"{slug} is on the plan {plan}.", as_json)


def brand(
    slug: Slug,
    accent: Annotated[str | None, typer.Option(help="Colour of buttons and links, like #3451d1.")] = None,
    logo: Annotated[
        Path | None, typer.Option(help="A PNG, JPEG or WebP image of at most 64 kB.", exists=True, dir_okay=False)
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="First go back to the platform's own looks.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Give a tenant's pages its colour and its logo."""
    from tenants import branding  # noqa: PLC0415 - slow to import: not for `--help`

    async def work(services: "Services") -> "Tenant":
        async def change(session: "AsyncSession") -> "Tenant":
            tenant = await services.registry.get_made(session, slug)
            if reset or accent is not None:
                await branding.set_accent(session, tenant, accent)
            if reset or logo is not None:
                await branding.set_logo(session, tenant, logo.read_bytes() if logo else None)
            await session.flush()
            return await services.registry.get(session, slug)

        return await changed(services, slug, "tenant.branding_changed", change, accent=accent, logo=logo is not None)

    print_changed(run(work), f"{slug} has its looks.", as_json)
