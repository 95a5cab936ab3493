"""`saas migrate verify`."""

from typing import TYPE_CHECKING, Annotated

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import run

if TYPE_CHECKING:
    from saas.services import Services
    from tenants.migrate.plan import Behind
    from tenants.migrate.verify import Report


def verify(
    slugs: Annotated[list[str] | None, typer.Argument(help="Tenants.", show_default="all", metavar="[SLUG]...")] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Add what is missing where the rows allow it. Never drops anything.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare each tenant's schema with what its revision says: columns, types, constraints, indexes.

    Exit code 1 where a difference remains.
    """

    async def work(services: "Services") -> "tuple[int, list[Report]]":
        from tenants.errors import TenancyError  # noqa: PLC0415 - slow to import: not for `--help`
        from tenants.migrate.plan import made  # noqa: PLC0415 - as above
        from tenants.migrate.verify import Report, Verifier  # noqa: PLC0415 - as above

        verifier = Verifier(services.database)
        tenants: list[Behind] = await made(services.database, slugs or ())
        reports = []
        with output.progress_bar("Verifying tenants") as bar:
            for done, tenant in enumerate(tenants, start=1):
                try:
                    reports.append(await verifier.verify(tenant, repair=repair))
                except TenancyError as error:
                    reports.append(Report(tenant.slug, remaining=[str(error)]))
                bar.update(done, len(tenants))
        return len(tenants), [report for report in reports if report.remaining or report.repaired]

    count, reports = run(work)
    differing = [report for report in reports if report.remaining]
    if as_json:
        documents = [{"slug": r.slug, "remaining": r.remaining, "repaired": r.repaired} for r in reports]
        output.print_json({"verified": count, "differing": documents})
    else:
        rows = [(r.slug, "repaired", words) for r in reports for words in r.repaired]
        rows += [(r.slug, "remains", words) for r in reports for words in r.remaining]
        output.print_table(("tenant", "", "difference"), rows, empty=f"All {count} are what their revision says.")
    if differing:
        hint = "put right what is listed" if repair else "`saas migrate verify --repair` adds what is missing"
        output.fail(f"{len(differing)} of {count} tenants differ from their revision: {hint}")
