"""`saas migrate`: the platform's schema, then every tenant's that is behind; `saas migrate verify`: are they right."""

from typing import Annotated

import typer

from saas.cli import output
from saas.cli.migrate.preview import print_plan, print_sql
from saas.cli.migrate.rollout import Options, roll_out
from saas.cli.migrate.verify import verify
from saas.cli.output import JsonOption

app = typer.Typer(name="migrate", help="Bring the databases to this release, and see that they are.")
app.command("verify")(verify)


@app.callback(invoke_without_command=True)
def migrate(
    context: typer.Context,
    *,
    canary: Annotated[
        list[str] | None, typer.Option(help="A tenant that goes first; if it fails, nobody follows. Repeatable.")
    ] = None,
    max_failures: Annotated[int, typer.Option(min=0, help="Stop when more tenants than this have failed.")] = 10,
    processes: Annotated[
        int | None, typer.Option(min=0, help="How many work at once; 0: this one only.", show_default="one a core")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show who is behind and what would run.")] = False,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL that would run.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the databases to this release: the platform's schema first, then that of every tenant that is behind.

    Each tenant is one transaction. Servers go on serving; stopped half-way, run it again: it goes on. Exit code 1
    where a tenant failed.
    """
    if context.invoked_subcommand is not None:
        return
    if plan and sql:
        output.fail("Give --plan or --sql, not both", code=2)
    if plan:
        print_plan(as_json=as_json)
    elif sql:
        print_sql(as_json=as_json)
    else:
        roll_out(Options(tuple(canary or ()), max_failures, processes), as_json=as_json)
