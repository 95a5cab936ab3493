"""`saas plans`: what the tiers may use."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import run

if TYPE_CHECKING:
    from saas.services import Services
    from tenants.plan_versions import PlanVersion
    from tenants.plans import Plan

app = typer.Typer(name="plans", help="See and change what the plans allow.", no_args_is_help=True)

_Name = Annotated[str, typer.Argument(help="See `saas plans list`.", show_default=False)]
_COLUMNS = (
    *("name", "version", "requests_per_minute", "burst", "requests_per_day", "requests_per_month", "concurrent"),
    *("users", "clients", "projects", "domains", "features"),
)


@app.command("list")
def list_plans(as_json: JsonOption = False) -> None:
    """List the plans as they are now, the smallest first; - is no limit."""
    from tenants import plan_versions  # noqa: PLC0415 - slow to import: not for `--help`

    async def work(services: "Services") -> "list[Plan]":
        async with services.database.platform_session() as session:
            return await plan_versions.list_plans(session)

    plans = [_document(plan) for plan in run(work)]
    if as_json:
        output.print_json(plans)
    else:
        columns = [column.replace("requests_per_", "a ") for column in _COLUMNS]
        output.print_table(columns, [[plan[column] for column in _COLUMNS] for plan in plans])


@app.command()
def show(
    name: _Name,
    version: Annotated[int | None, typer.Option(min=1, help="As it was then.", show_default="the newest")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything about a plan; - is no limit."""
    _print_plan(run(lambda services: _find(services, name, version)), as_json)


@app.command("set")
def set_plan(
    name: Annotated[str, typer.Argument(help="The plan; a new name makes a new plan.", show_default=False)],
    changes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FIELD=VALUE]...",
            help="Like users=50, requests_per_month=none, burst=x2, features=+audit-export, shadow=on.",
        ),
    ] = None,
    *,
    per_minute: Annotated[int | None, typer.Option(min=1, help="Requests a minute, sustained.")] = None,
    burst: Annotated[int | None, typer.Option(min=1, help="Requests at once.")] = None,
    per_day: Annotated[int | None, typer.Option(min=1, help="Requests a day (UTC).")] = None,
    keep_tenants: Annotated[
        bool, typer.Option("--keep-tenants", help="Leave those who are on the plan at the version that they have.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a new version of a plan, or a plan. Its tenants follow within a second, except those at another version.

    Fields are those that `saas plans show` names.
    """
    from tenants import plan_changes, plan_versions  # noqa: PLC0415 - slow to import: not for `--help`

    options = {"requests_per_minute": per_minute, "burst": burst, "requests_per_day": per_day}
    written = [*(changes or ()), *(f"{field}={value}" for field, value in options.items() if value is not None)]
    if not written:
        output.fail("Nothing to set: give FIELD=VALUE, like users=50, or --per-minute, --burst or --per-day", code=2)

    async def work(services: "Services") -> "Plan":
        async with services.database.platform_session() as session:
            return await plan_versions.set_plan(session, name, plan_changes.parse(written), keep_tenants=keep_tenants)

    _print_plan(run(work), as_json)


@app.command()
def diff(
    name: _Name,
    before: Annotated[int, typer.Argument(min=1, help="A version.", show_default=False)],
    after: Annotated[int, typer.Argument(min=1, help="Another one.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Show in what two versions of a plan differ."""
    from tenants.plan_changes import differences  # noqa: PLC0415 - slow to import: not for `--help`

    async def work(services: "Services") -> list[tuple[str, Any, Any]]:
        return differences(await _find(services, name, before), await _find(services, name, after))

    found = run(work)
    if as_json:
        output.print_json([{"field": field, "before": old, "after": new} for field, old, new in found])
    else:
        output.print_table(("field", f"version {before}", f"version {after}"), found, empty="They are the same.")


@app.command()
def history(name: _Name, as_json: JsonOption = False) -> None:
    """List the versions of a plan, the newest first, with how many tenants are at each, and pinned to it."""
    from tenants import plan_versions  # noqa: PLC0415 - slow to import: not for `--help`

    async def work(services: "Services") -> "list[PlanVersion]":
        async with services.database.platform_session() as session:
            return await plan_versions.history(session, name)

    versions = run(work)
    if as_json:
        output.print_json(
            [
                {**_document(each.plan), "created_at": each.created_at, "tenants": each.tenants, "pinned": each.pinned}
                for each in versions
            ]
        )
    else:
        rows = [(each.plan.version, each.created_at, each.tenants, each.pinned) for each in versions]
        output.print_table(("version", "made", "tenants", "pinned"), rows)


async def _find(services: "Services", name: str, version: int | None) -> "Plan":
    from tenants import plan_versions  # noqa: PLC0415 - slow to import: not for `--help`

    async with services.database.platform_session() as session:
        return await plan_versions.find_plan(session, name, version)


def _document(plan: "Plan") -> dict[str, Any]:
    from tenants.plan_changes import as_values  # noqa: PLC0415 - slow to import: not for `--help`

    return as_values(plan)


def _print_plan(plan: "Plan", as_json: bool) -> None:
    (output.print_json if as_json else output.print_fields)(_document(plan))
