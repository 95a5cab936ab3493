"""`saas migrate`: the platform's schema, then every tenant's that is behind."""

from typing import TYPE_CHECKING

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import run

if TYPE_CHECKING:
    from saas.services import Services
    from tenants.migrate.plan import Behind
    from tenants.migrate.runner import Outcome

app = typer.Typer()


@app.command()
def migrate(as_json: JsonOption = False) -> None:
    """Bring the database to this release: the platform's schema first, then that of every tenant that is behind.

    Each schema is one transaction. Stopped half-way, run it again: it goes on. Exit code 1 where a tenant failed.
    """
    from tenants.migrate.runner import migrate_all, migrate_platform  # noqa: PLC0415 - slow: not for `--help`

    async def work(services: "Services") -> "tuple[tuple[str, ...], Outcome]":
        applied = await migrate_platform(services.database)
        with output.progress_bar("Migrating tenants") as bar:

            def on_progress(_tenant: "Behind", done: int, total: int) -> None:
                bar.update(done, total)

            return applied, await migrate_all(services.database, on_progress)

    applied, outcome = run(work, migrate=False)
    if as_json:
        failed = [{"slug": slug, "cause": cause} for slug, cause in outcome.failed.items()]
        output.print_json(
            {"platform": {"applied": applied}, "tenants": {"migrated": outcome.migrated, "failed": failed}}
        )
    else:
        _print_text(applied, outcome)
    if outcome.failed:
        output.fail(f"{len(outcome.failed)} of the tenants failed: put right what is listed, then run `saas migrate`")


def _print_text(applied: tuple[str, ...], outcome: "Outcome") -> None:
    output.note(f"Platform: applied {', '.join(applied)}." if applied else "Platform: up to date.")
    if outcome.failed:
        output.print_table(("tenant", "cause"), list(outcome.failed.items()))
    count = len(outcome.migrated)
    output.note(f"Tenants: {count} migrated." if count or outcome.failed else "Tenants: up to date.")
