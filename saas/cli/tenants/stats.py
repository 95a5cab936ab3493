"""`saas tenants stats`: how large tenants are, and whether anybody is there."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import run

if TYPE_CHECKING:
    from saas.services import Services
    from tenants.registry import Tenant

_COLUMNS: Final = ("tenant", "status", "database", "tables", "rows", "bytes", "requests", "last_seen")
#: Those without a schema that one could look into.
_WITHOUT: Final = frozenset({"provisioning", "deleting", "moving"})
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")
_THOUSAND: Final = 1024


def stats(
    slug: Annotated[str | None, typer.Argument(help="One tenant.", show_default="every tenant")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what tenants take: tables, rows (as PostgreSQL estimates them), size on disk; and who was there last.

    `requests` are those of the last thirty days; `last_seen` is when a person used a browser session.
    """
    found = run(lambda services: _collect(services, slug))
    if as_json:
        output.print_json(found if slug is None else found[0])
        return
    rows = [[_size(each[column]) if column == "bytes" else each[column] for column in _COLUMNS] for each in found]
    output.print_table(_COLUMNS, rows, empty="No tenants. Create one with `saas tenants create`.")


async def _collect(services: "Services", slug: str | None) -> list[dict[str, Any]]:
    from tenants.stats import Size, sizes  # noqa: PLC0415 - slow to import: not for `--help`

    async with services.database.platform_session() as session:
        registry = services.registry
        tenants = await registry.all(session) if slug is None else [await registry.get(session, slug)]
    by_schema: dict[str, Size] = {}
    for name in {tenant.database for tenant in tenants}:
        async with services.database.platform_session(name) as session:
            by_schema |= await sizes(session, [tenant.schema for tenant in tenants if tenant.database == name])
    documents = []
    with output.progress_bar("Tenants") as progress:
        for number, tenant in enumerate(tenants, 1):
            size = by_schema.get(tenant.schema, Size(0, 0, 0))
            requests, last_seen = await _activity(services, tenant)
            documents.append(
                {
                    "tenant": tenant.slug,
                    "status": tenant.status,
                    "database": tenant.database,
                    "tables": size.tables,
                    "rows": size.rows,
                    "bytes": size.bytes,
                    "requests": requests,
                    "last_seen": last_seen,
                }
            )
            progress.update(number, len(tenants))
    return documents


async def _activity(services: "Services", tenant: "Tenant") -> tuple[int | None, datetime | None]:
    """Requests, and when somebody was seen."""
    from saas.identity.service import last_seen  # noqa: PLC0415 - slow to import: not for `--help`

    if tenant.status in _WITHOUT:
        return None, None
    async with services.database.tenant_session(tenant) as session:
        return (await services.usage.totals(session)).requests, await last_seen(session)


def _size(count: int) -> str:
    amount = float(count)
    for unit in _UNITS:
        if amount < _THOUSAND or unit == _UNITS[-1]:
            break
        amount /= _THOUSAND
    return f"{amount:.0f} {unit}"
