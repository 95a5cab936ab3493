"""`saas databases`: where the tenants are."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import run

if TYPE_CHECKING:
    from saas.services import Services
    from tenants.placement import Occupancy

app = typer.Typer(name="databases", help="See the databases that hold the tenants.", no_args_is_help=True)

_MEGABYTE = 1_000_000


@app.callback()
def databases() -> None:
    """Set another one with SAAS_DATABASES__NAME, and where new tenants go with SAAS_DATABASE_WEIGHTS."""


@app.command("list")
def list_databases(as_json: JsonOption = False) -> None:
    """List the databases: where each is, its tenants, its size, and its weight: 0 takes no new tenants.

    Exit code 1 where one does not answer.
    """
    from tenants.placement import occupancy  # noqa: PLC0415 - slow to import: not for `--help`

    async def work(services: "Services") -> "list[Occupancy]":
        return await occupancy(services.database)

    found = run(work)
    if as_json:
        output.print_json([asdict(each) for each in found])
    else:
        rows = [(each.name, each.host, each.tenants, _megabytes(each.size), each.weight) for each in found]
        output.print_table(("database", "host", "tenants", "size", "weight"), rows)
    silent = [each for each in found if each.problem is not None]
    if silent:
        causes = "; ".join(f"{each.name}: {each.problem}" for each in silent)
        output.fail(f"No answer from {causes}. Check SAAS_DATABASE_URL and SAAS_DATABASES__NAME")


def _megabytes(size: int | None) -> str:
    return "?" if size is None else f"{size / _MEGABYTE:,.1f} MB"
