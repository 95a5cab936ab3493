"""`saas tenants delete` and `restore`."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import run
from saas.cli.tenants.records import Slug, changed, print_changed
from saas.cli.times import parse_duration

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sqlalchemy.ext.asyncio import AsyncSession

    from saas.services import Services
    from tenants.registry import Tenant


def delete(
    slug: Slug,
    grace: Annotated[
        str | None,
        typer.Option(help="How long it can be restored, like 30d.", show_default="SAAS_TENANTS_GRACE, else 30d"),
    ] = None,
    now: Annotated[bool, typer.Option("--now", help="Purge at once. There is no way back.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the slug.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete a tenant: nobody is served from now on, and later the worker purges everything that it has.

    Until then `saas tenants restore` brings it back, and nobody else gets its slug or its domains. Stopped half-way,
    run it again: it finishes, or the worker does.
    """
    if now and grace is not None:
        output.fail("--now leaves no time: give either --now or --grace", code=2)
    keep = None if grace is None else parse_duration(grace)
    tenant = run(lambda services: _delete(services, slug, keep, now=now, asked=yes))
    if as_json:
        output.print_json({"deleted": slug, "purge_at": None if tenant is None else tenant.purge_at})
    elif tenant is None:
        output.note(f"{slug} is deleted, with everything that it had.")
    else:
        output.note(
            f"{slug} is deleted. It is purged after {tenant.purge_at:%Y-%m-%d %H:%M} UTC; until then "
            f"`saas tenants restore {slug}` brings it back."
        )


def restore(slug: Slug, as_json: JsonOption = False) -> None:
    """Bring a deleted tenant back, as it was, as long as it has not been purged."""
    from saas.audit.tenancy import tell_restored  # noqa: PLC0415 - slow to import: not for `--help`
    from tenants import lifecycle  # noqa: PLC0415

    async def work(services: "Services") -> "Tenant":
        return await lifecycle.restore(services.database, services.registry, slug, told=tell_restored)

    tenant = run(work)
    print_changed(tenant, f"{slug} is {tenant.status}.", as_json)


async def _delete(
    services: "Services", slug: str, grace: timedelta | None, *, now: bool, asked: bool
) -> "Tenant | None":
    """The tenant while it can be restored; None where it is gone for good."""
    from tenants import lifecycle, provisioning  # noqa: PLC0415 - slow to import: not for `--help`

    async with services.database.platform_session() as session:
        tenant = await services.registry.get(session, slug)
    if not asked:
        _confirm(tenant, now=now)
    if not now:
        keep = timedelta(seconds=services.settings.tenants.grace) if grace is None else grace

        def change(session: "AsyncSession") -> "Awaitable[Tenant]":
            return lifecycle.delete(session, services.registry, slug, grace=keep)

        tenant = await changed(services, slug, "tenant.deleted", change)
        if tenant.status == "deleted":
            return tenant
    await provisioning.delete(services.database, slug, purge=services.limiter.purge, only=tenant.id)
    return None


def _confirm(tenant: "Tenant", *, now: bool) -> None:
    what = "with all its people, clients and data, for good" if now else "and serves nobody there any more"
    output.note(f"This deletes {tenant.name} ({tenant.issuer}) {what}.")
    try:
        typed = typer.prompt("Type its slug to go on", err=True)
    except typer.Abort:
        output.fail("Nothing was deleted; where nobody can answer, give --yes")
    if typed != tenant.slug:
        output.fail("That is not its slug: nothing was deleted")
