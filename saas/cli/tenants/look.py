"""`saas tenants list` and `show`."""

from typing import TYPE_CHECKING, Annotated

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import run
from saas.cli.tenants.records import Slug, document

if TYPE_CHECKING:
    from saas.services import Services
    from tenants.registry import Tenant


def list_tenants(
    status: Annotated[str | None, typer.Option(help="Only those with this status, like suspended or deleted.")] = None,
    plan: Annotated[str | None, typer.Option(help="Only those on this plan.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the tenants by slug."""

    async def work(services: "Services") -> "list[Tenant]":
        async with services.database.platform_session() as session:
            return await services.registry.all(session)

    found = [
        document(tenant) for tenant in run(work) if status in {None, tenant.status} and plan in {None, tenant.plan.name}
    ]
    if as_json:
        output.print_json(found)
        return
    columns = ["slug", "name", "issuer", "plan", "status", "created_at"]
    if any(tenant["purge_at"] for tenant in found):
        columns.append("purge_at")
    output.print_table(
        columns,
        [[tenant[column] for column in columns] for tenant in found],
        empty="No tenants. Create one with `saas tenants create`.",
    )


def show(slug: Slug, as_json: JsonOption = False) -> None:
    """Show one tenant, with its domains and its limits, overrides included."""
    from tenants.plan_changes import as_values  # noqa: PLC0415 - slow to import: not for `--help`

    async def work(services: "Services") -> "Tenant":
        async with services.database.platform_session() as session:
            return await services.registry.get(session, slug)

    tenant = run(work)
    limits = {field: value for field, value in as_values(tenant.plan).items() if field != "name"}
    pinned = {"plan_pinned": tenant.plan_pinned, "overridden_until": tenant.plan_until}
    if as_json:
        output.print_json({**document(tenant), **pinned, "limits": limits})
    else:
        output.print_fields({**document(tenant), **pinned, **limits})
