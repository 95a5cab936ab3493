"""`saas worker`: background work, for as long as it runs."""

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import run, stop_signals

if TYPE_CHECKING:
    from saas.services import Services
    from saas.worker.loop import Outcome

app = typer.Typer()


@app.command()
def worker(
    once: Annotated[bool, typer.Option("--once", help="Do all that is due now, for every tenant, and end.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete what has expired, rotate signing keys, and tell clients of logouts, for all active tenants.

    Run one or several. SIGTERM ends it, after what it is doing. With --json, one line is printed once it works; with
    --once, what was done. With --once it fails where a tenant's work has failed; the others' is done all the same.
    """
    # the whole application: slow to import, not for `--help`, and libraries have things to tell meanwhile
    import saas.worker.loop  # noqa: F401, PLC0415
    from saas.cli.environment import load_settings  # noqa: PLC0415
    from saas.cli.production import check_production  # noqa: PLC0415
    from saas.kit.log import configure_logging  # noqa: PLC0415

    settings = load_settings()
    configure_logging(settings.log)
    if settings.database.url:  # else it works on the embedded servers, which are for development
        check_production(settings)
    if not once:
        run(lambda services: _run(services, as_json=as_json))
        return
    outcomes = run(_once)
    if as_json:
        output.print_json([asdict(outcome) for outcome in outcomes])
    else:
        columns = ("job", "tenants", "failed", "done")
        output.print_table(columns, [[getattr(outcome, column) for column in columns] for outcome in outcomes])
    if any(outcome.failed for outcome in outcomes):
        output.fail("Some tenants' work has failed: the log says why")


async def _once(services: "Services") -> "list[Outcome]":
    from saas.audit.actor import SYSTEM, acting_as  # noqa: PLC0415 - as above
    from saas.services import kept_fresh  # noqa: PLC0415 - as above
    from saas.worker.loop import Worker  # noqa: PLC0415 - as above

    async with kept_fresh(services):
        with acting_as(SYSTEM):
            return await Worker(services).once()


async def _run(services: "Services", *, as_json: bool) -> None:
    from saas.audit.actor import SYSTEM, acting_as  # noqa: PLC0415 - as above
    from saas.services import kept_fresh  # noqa: PLC0415 - as above
    from saas.worker.loop import Worker  # noqa: PLC0415 - as above

    working = Worker(services)
    loop = asyncio.get_running_loop()
    for number in stop_signals():
        loop.add_signal_handler(number, working.stop)
    async with kept_fresh(services):
        if as_json:
            output.print_json({"working": True})
        else:
            output.note("Working. Ctrl-C stops it.")
        with acting_as(SYSTEM):
            await working.run()
