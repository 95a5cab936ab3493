"""`saas domains`: the custom hosts of a tenant."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from saas.cli import output
from saas.cli.one_tenant import TenantOption, find_tenant
from saas.cli.output import JsonOption
from saas.cli.runtime import run

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sqlalchemy.ext.asyncio import AsyncSession

    from saas.services import Services
    from tenants.domains import Domain

app = typer.Typer(name="domains", help="Prove, list and remove tenants' custom domains.", no_args_is_help=True)

_Host = Annotated[str, typer.Argument(help="Like login.example.com.", show_default=False)]


@app.command()
def add(host: _Host, slug: TenantOption, as_json: JsonOption = False) -> None:
    """Claim a domain for a tenant, and show the TXT record that proves it.

    The domain leads to the tenant once it is proved, by `saas domains verify` or by the worker, which looks for the
    record for two weeks. Until then nobody is reached there, and whoever proves it first has it. The host itself has
    to point here too (CNAME or address), with a certificate for it. The tenant's issuer stays at its primary host.
    """
    from saas.audit.tenancy import claim_domain  # noqa: PLC0415 - slow to import: not for `--help`

    async def work(services: "Services") -> "Domain":
        tenant = await find_tenant(services, slug)
        domain, _ = await claim_domain(services.database, services.registry, tenant, host)
        return domain

    domain = run(work)
    if as_json:
        output.print_json(asdict(domain))
    elif domain.verified_at is not None:
        output.note(f"{domain.host} leads to {slug} already.")
    else:
        output.print_fields({"record": domain.record, "type": "TXT", "value": domain.value})
        output.note(f"Add this record to the DNS, then run `saas domains verify {domain.host} --tenant {slug}`.")


@app.command()
def verify(host: _Host, slug: TenantOption, as_json: JsonOption = False) -> None:
    """Look for a domain's TXT record now; where it is right, the domain leads to the tenant within a second."""
    from saas.audit.tenancy import tell_verified  # noqa: PLC0415 - slow to import: not for `--help`
    from tenants import domains  # noqa: PLC0415

    async def work(services: "Services") -> "Domain":
        tenant = await find_tenant(services, slug)
        return await domains.verify_domain(services.database, tenant, host, services.txt, told=tell_verified)

    domain = run(work)
    if as_json:
        output.print_json(asdict(domain))
    else:
        output.note(f"{domain.host} leads to {slug}.")


@app.command("list")
def list_domains(slug: TenantOption, as_json: JsonOption = False) -> None:
    """List a tenant's domains: those that lead to it, and those that wait for their proof."""
    from tenants import domains  # noqa: PLC0415 - slow to import: not for `--help`

    async def work(services: "Services") -> "list[Domain]":
        tenant = await find_tenant(services, slug)
        async with services.database.platform_session() as session:
            return await domains.list_domains(session, tenant)

    found: list[dict[str, Any]] = [asdict(domain) for domain in run(work)]
    if as_json:
        output.print_json(found)
        return
    columns = ("host", "verified_at", "record", "value", "checked_at")
    rows = [[domain[column] for column in columns] for domain in found]
    output.print_table(columns, rows, empty=f"{slug} has no domain of its own. Add one with `saas domains add`.")


@app.command()
def remove(host: _Host, slug: TenantOption, as_json: JsonOption = False) -> None:
    """Take a domain, or the claim to it, from a tenant; nobody is reached there, within a second."""
    from saas.audit.tenancy import change_tenant  # noqa: PLC0415 - slow to import: not for `--help`
    from tenants import domains  # noqa: PLC0415

    async def work(services: "Services") -> None:
        tenant = await find_tenant(services, slug)

        def change(session: "AsyncSession") -> "Awaitable[None]":
            return domains.remove_domain(session, tenant, host)

        await change_tenant(services.database, tenant, "domain.removed", change, host=host)

    run(work)
    if as_json:
        output.print_json({"removed": host, "tenant": slug})
    else:
        output.note(f"{host} does not lead to {slug} any more.")
