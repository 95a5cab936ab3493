"""`saas migrate` itself."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from saas.cli import output
from saas.cli.runtime import run

if TYPE_CHECKING:
    from saas.services import Services
    from tenants.migrate.plan import Behind
    from tenants.migrate.rollout import Outcome


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for. `processes` None: as many as there are cores for us."""

    canaries: tuple[str, ...]
    max_failures: int
    processes: int | None


def roll_out(options: Options, *, as_json: bool) -> None:
    """Migrate, and print what became of it; ends the command with code 1 where a tenant failed."""
    from tenants.migrate.plan import made  # noqa: PLC0415 - slow to import: not for `--help`
    from tenants.migrate.rollout import migrate_all  # noqa: PLC0415 - as above
    from tenants.migrate.runner import migrate_platform  # noqa: PLC0415 - as above
    from tenants.warm import discard_stale  # noqa: PLC0415 - as above

    async def work(services: "Services") -> "tuple[tuple[str, ...], Outcome]":
        applied = await migrate_platform(services.database)
        if options.canaries:
            await made(services.database, options.canaries)  # a slug that is mistyped must not pass as a canary
        with output.progress_bar("Migrating tenants") as bar:

            def on_progress(_tenant: "Behind", done: int, total: int) -> None:
                bar.update(done, total)

            outcome = await migrate_all(
                services.database,
                on_progress,
                canaries=options.canaries,
                max_failures=options.max_failures,
                processes=len(os.sched_getaffinity(0)) if options.processes is None else options.processes,
            )
        await discard_stale(services.database)  # the worker makes new ones
        return applied, outcome

    applied, outcome = run(work, migrate=False)
    if as_json:
        output.print_json(_document(applied, outcome))
    else:
        _print_text(applied, outcome)
    if outcome.halted:
        output.fail(
            f"Halted, since {outcome.halted}: {outcome.left} of the tenants had no turn. "
            "Put right what is listed, then run `saas migrate`"
        )
    if outcome.failed:
        output.fail(f"{len(outcome.failed)} of the tenants failed: put right what is listed, then run `saas migrate`")


def _document(applied: tuple[str, ...], outcome: "Outcome") -> dict[str, object]:
    failed = [{"slug": slug, "cause": cause} for slug, cause in outcome.failed.items()]
    tenants = {"migrated": outcome.migrated, "failed": failed, "halted": outcome.halted, "left": outcome.left}
    return {"platform": {"applied": applied}, "tenants": tenants}


def _print_text(applied: tuple[str, ...], outcome: "Outcome") -> None:
    output.note(f"Platform: applied {', '.join(applied)}." if applied else "Platform: up to date.")
    if outcome.failed:
        output.print_table(("tenant", "cause"), list(outcome.failed.items()))
    count = len(outcome.migrated)
    output.note(f"Tenants: {count} migrated." if count or outcome.failed else "Tenants: up to date.")
