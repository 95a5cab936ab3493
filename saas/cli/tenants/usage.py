"""`saas tenants usage`: what a tenant and its clients used, with a chart."""

import shutil
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import run
from saas.cli.tenants.records import Slug

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from saas.services import Services

By = Literal["hour", "day", "month", "client"]

#: Characters of the longest bar, as far as the terminal has room.
_SHORTEST: Final = 10
_LONGEST: Final = 40
_BETWEEN: Final = 3
_COUNTS: Final = ("requests", "refusals", "cost")
_FORMATS: Final = {"hour": "%Y-%m-%d %H:%M", "day": "%a %Y-%m-%d", "month": "%Y-%m"}


def usage(
    slug: Slug,
    days: Annotated[int, typer.Option(min=1, max=1000, help="How many days, with today.")] = 7,
    by: Annotated[
        By | None, typer.Option(help="A line for each of them.", show_default="day; hour for one day")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a tenant used: requests and refusals over time or by client, and how its quotas stand.

    Hours and days are of UTC, and up to a minute old; quotas are as of now. A bar is as long as the requests that were
    let through, and goes on, lighter, with those that a limit refused.
    """
    found = run(lambda services: _collect(services, slug, days, by or ("hour" if days == 1 else "day")))
    if as_json:
        output.print_json(found)
        return
    _print_quotas(found["quotas"])
    rows = found["usage"]
    table = [[_name(each, found["by"]), *_counts(each)] for each in rows]
    if len(rows) > 1:
        table.append(["total", *_counts(found["totals"])])
    columns = [found["by"], *_COUNTS]
    table = _aligned(columns, table)
    taken = sum(len(cell) + _BETWEEN for cell in (table or [columns])[0])
    width = shutil.get_terminal_size((120, 0)).columns - taken - 1  # each part of a bar is rounded up
    bars = [*_bars(rows, min(max(width, _SHORTEST), _LONGEST)), ""]
    drawn = [[*cells, bar] for cells, bar in zip(table, bars, strict=False)]
    output.print_table([*columns, ""], drawn, empty=f"{slug} used nothing in this time.")
    if found["totals"]["would_refuse"]:
        count = found["totals"]["would_refuse"]
        output.note(f"Without the plan's shadow mode, {count:,} of the requests would have been refused.")


async def _collect(services: "Services", slug: str, days: int, by: By) -> dict[str, Any]:
    from saas.kit.clock import utc_now  # noqa: PLC0415 - slow to import: not for `--help`
    from saas.usage.periods import beginning  # noqa: PLC0415 - as above
    from saas.usage.service import Use, total  # noqa: PLC0415 - as above

    async with services.database.platform_session() as session:
        tenant = await services.registry.get_made(session, slug)
    until = utc_now()
    since = beginning(until - timedelta(days=days - 1), "day")
    async with services.database.tenant_session(tenant) as session:
        if by == "client":
            clients = await services.usage.clients(session, since, until, limit=1000)
            found: list[tuple[str, object, Use]] = [("client_id", each.client_id, each.use) for each in clients]
        else:
            periods = await services.usage.hours(session, since, until, resolution=by)
            found = [("at", each.at, each.use) for each in periods]
    return {
        "tenant": tenant.slug,
        "plan": tenant.plan.name,
        "by": by,
        "since": since,
        "until": until,
        "quotas": [each._asdict() for each in await services.usage.quota(tenant)],
        "totals": total(use for _, _, use in found)._asdict(),
        "usage": [{name: value, **use._asdict()} for name, value, use in found],
    }


def _print_quotas(quotas: "Sequence[dict[str, Any]]") -> None:
    rows = [
        [
            each["calendar"],
            f"{each['used']:,}",
            f"{each['limit']:,}",
            f"{100 * each['used'] / each['limit']:.0f}%",
            f"{each['projected']:,}",
            each["resets_at"].strftime("%Y-%m-%d %H:%MZ"),
        ]
        for each in quotas
    ]
    columns = ("quota", "used", "limit", "of it", "if it goes on so", "begins anew")
    empty = "Valkey does not answer: how the quotas stand is not known."
    output.print_table(columns, _aligned(columns, rows), empty=empty)
    typer.echo()


def _name(each: "dict[str, Any]", by: By) -> str:
    if by == "client":
        return str(each["client_id"])
    at: datetime = each["at"]
    return at.strftime(_FORMATS[by])


def _counts(use: "dict[str, Any]") -> list[str]:
    return [f"{use[name]:,}" for name in _COUNTS]


def _aligned(columns: "Sequence[str]", rows: list[list[str]]) -> list[list[str]]:
    """The first column to the left, the others to the right."""
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    return [
        [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        for row in rows
    ]


def _bars(rows: "Sequence[dict[str, Any]]", width: int) -> "list[Text]":
    """Both parts of a bar differ in their characters, so that it needs no colour; whatever is there is seen."""
    from rich.text import Text  # noqa: PLC0415 - slow to import: not for `--help`

    longest = max((each["requests"] + each["refusals"] for each in rows), default=0)
    full, light = ("█", "░") if (sys.stdout.encoding or "").lower().startswith("utf") else ("#", "-")
    bars = []
    for each in rows:
        lengths = [-(-each[name] * width // longest) if longest else 0 for name in ("requests", "refusals")]
        bars.append(Text(full * lengths[0], style="cyan").append(light * lengths[1], style="red"))
    return bars
