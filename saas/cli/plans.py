"""`saas plans`: what the tiers may use."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import run

if TYPE_CHECKING:
    from saas.services import Services
    from tenants.plans import Plan

app = typer.Typer(name="plans", help="See and change what the plans allow.", no_args_is_help=True)


@app.command("list")
def list_plans(as_json: JsonOption = False) -> None:
    """List the plans, the smallest first."""

    async def work(services: "Services") -> "list[Plan]":
        async with services.database.platform_session() as session:
            return await services.registry.plans(session)

    _print_plans(run(work), as_json)


@app.command("set")
def set_plan(
    name: Annotated[str, typer.Argument(help="The plan; a new name makes a new plan.", show_default=False)],
    per_minute: Annotated[int | None, typer.Option(min=1, help="Requests a minute, sustained.")] = None,
    burst: Annotated[int | None, typer.Option(min=1, help="Requests at once.")] = None,
    per_day: Annotated[int | None, typer.Option(min=1, help="Requests a day (UTC).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Change a plan's limits, or make a plan. Running servers follow within a second."""
    if per_minute is None and burst is None and per_day is None:
        output.fail("Nothing to set: give --per-minute, --burst or --per-day", code=2)

    async def work(services: "Services") -> "Plan":
        async with services.database.platform_session() as session:
            return await services.registry.set_plan_limits(
                session, name, requests_per_minute=per_minute, burst=burst, requests_per_day=per_day
            )

    plan = run(work)
    if as_json:
        output.print_json(asdict(plan))
    else:
        _print_plans([plan], as_json=False)


def _print_plans(plans: "list[Plan]", as_json: bool) -> None:
    if as_json:
        output.print_json([asdict(plan) for plan in plans])
        return
    rows = [(plan.name, plan.requests_per_minute, plan.burst, plan.requests_per_day) for plan in plans]
    output.print_table(("plan", "requests a minute", "burst", "requests a day"), rows)
