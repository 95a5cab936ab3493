"""`saas tenants`: create, find, change and delete tenants."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import run

if TYPE_CHECKING:
    from saas.services import Services
    from tenants.registry import Tenant

app = typer.Typer(name="tenants", help="Create, find, change and delete tenants.", no_args_is_help=True)

_Slug = Annotated[str, typer.Argument(help="The tenant's short name, as in its host.", show_default=False)]


@app.command()
def create(
    slug: _Slug,
    *,
    owner_email: Annotated[str, typer.Option(help="Who administers the tenant.", show_default=False)],
    name: Annotated[str, typer.Option(help="The customer's name.", show_default="the slug")] = "",
    plan: Annotated[str, typer.Option(help="See `saas plans list`.")] = "free",
    domain: Annotated[str | None, typer.Option(help="A custom domain that also leads to it.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Create a tenant: registry, schema, signing key and owner, whose password is printed once.

    Stopped half-way, run it again: it finishes. A tenant that exists is left as it is.
    """
    from saas.onboarding.service import Onboarded, onboard  # noqa: PLC0415 - slow to import: not for `--help`

    async def work(services: "Services") -> Onboarded:
        return await onboard(
            services.database,
            services.registry,
            services.keys,
            slug=slug,
            name=name or slug,
            plan=plan,
            owner_email=owner_email,
            domain=domain,
        )

    done = run(work)
    owner = {"owner_email": done.owner_email, "owner_password": done.owner_password} if done.created else {}
    if as_json:
        output.print_json({"created": done.created, "tenant": _document(done.tenant), **owner})
        return
    output.print_fields({**_document(done.tenant), **owner})
    if done.created:
        output.note("The owner's password is shown this once.")
    else:
        output.note(f"{slug} exists already; nothing was changed. Owner's password lost? `saas users reset-password`")


@app.command("list")
def list_tenants(
    status: Annotated[str | None, typer.Option(help="Only those with this status, like suspended.")] = None,
    plan: Annotated[str | None, typer.Option(help="Only those on this plan.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the tenants by slug."""

    async def work(services: "Services") -> "list[Tenant]":
        async with services.database.platform_session() as session:
            return await services.registry.all(session)

    found = [
        _document(tenant)
        for tenant in run(work)
        if status in {None, tenant.status} and plan in {None, tenant.plan.name}
    ]
    if as_json:
        output.print_json(found)
        return
    columns = ("slug", "name", "issuer", "plan", "status", "created_at")
    output.print_table(
        columns,
        [[tenant[column] for column in columns] for tenant in found],
        empty="No tenants. Create one with `saas tenants create`.",
    )


@app.command()
def show(slug: _Slug, as_json: JsonOption = False) -> None:
    """Show one tenant, with its domains and its limits."""

    async def work(services: "Services") -> "Tenant":
        async with services.database.platform_session() as session:
            return await services.registry.get(session, slug)

    tenant = run(work)
    limits = {
        "requests_per_minute": tenant.plan.requests_per_minute,
        "burst": tenant.plan.burst,
        "requests_per_day": tenant.plan.requests_per_day,
    }
    if as_json:
        output.print_json({**_document(tenant), "limits": limits})
    else:
        output.print_fields({**_document(tenant), **limits})


@app.command()
def suspend(
    slug: _Slug,
    reason: Annotated[str, typer.Option(help="Shown to the tenant's users.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Refuse a tenant's requests, within a second, until it is resumed."""

    async def work(services: "Services") -> "Tenant":
        async with services.database.platform_session() as session:
            return await services.registry.suspend(session, slug, reason)

    _print_changed(run(work), f"{slug} is suspended. Undo with `saas tenants resume {slug}`.", as_json)


@app.command()
def resume(slug: _Slug, as_json: JsonOption = False) -> None:
    """Serve a suspended tenant again."""

    async def work(services: "Services") -> "Tenant":
        async with services.database.platform_session() as session:
            return await services.registry.resume(session, slug)

    _print_changed(run(work), f"{slug} is active.", as_json)


@app.command()
def set_plan(
    slug: _Slug,
    plan: Annotated[str, typer.Argument(help="See `saas plans list`.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Put a tenant on another plan; its limits follow within a second."""

    async def work(services: "Services") -> "Tenant":
        async with services.database.platform_session() as session:
            return await services.registry.set_plan(session, slug, plan)

    _print_changed(run(work), f"{slug} is on the plan {plan}.", as_json)


@app.command()
def brand(
    slug: _Slug,
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
        async with services.database.platform_session() as session:
            tenant = await services.registry.get_made(session, slug)
            if reset or accent is not None:
                await branding.set_accent(session, tenant, accent)
            if reset or logo is not None:
                await branding.set_logo(session, tenant, logo.read_bytes() if logo else None)
            await session.flush()
            return await services.registry.get(session, slug)

    _print_changed(run(work), f"{slug} has its looks.", as_json)


@app.command()
def delete(
    slug: _Slug,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the slug.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete a tenant and everything that it has. There is no way back.

    Stopped half-way, run it again: it finishes.
    """
    from tenants import provisioning  # noqa: PLC0415 - slow to import: not for `--help`

    async def work(services: "Services") -> None:
        async with services.database.platform_session() as session:
            tenant = await services.registry.get(session, slug)
        if not yes:
            _confirm(tenant)
        await provisioning.delete(services.database, slug, purge=services.limiter.purge)

    run(work)
    if as_json:
        output.print_json({"deleted": slug})
    else:
        output.note(f"{slug} is deleted.")


def _confirm(tenant: "Tenant") -> None:
    output.note(f"This deletes {tenant.name} ({tenant.issuer}) with all its people, clients and data, for good.")
    try:
        typed = typer.prompt("Type its slug to go on", err=True)
    except typer.Abort:
        output.fail("Nothing was deleted; where nobody can answer, give --yes")
    if typed != tenant.slug:
        output.fail("That is not its slug: nothing was deleted")


def _print_changed(tenant: "Tenant", message: str, as_json: bool) -> None:
    if as_json:
        output.print_json(_document(tenant))
    else:
        output.note(message)


def _document(tenant: "Tenant") -> dict[str, Any]:
    return {
        "id": tenant.id,
        "slug": tenant.slug,
        "name": tenant.name,
        "issuer": tenant.issuer,
        "host": tenant.host,
        "domains": tenant.domains,
        "plan": tenant.plan.name,
        "status": tenant.status,
        "suspended_reason": tenant.suspended_reason,
        "revision": tenant.revision,
        "accent": tenant.accent,
        "logo": tenant.logo,
        "created_at": tenant.created_at,
    }
