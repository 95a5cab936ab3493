"""`saas audit`: what was done in a tenant, by whom, and whether the log of it is whole."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from saas.cli import output
from saas.cli.one_tenant import TenantOption, find_tenant, run_in_tenant
from saas.cli.output import JsonOption
from saas.cli.runtime import run
from saas.cli.times import parse_moment

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from saas.audit.log import Event, EventFilter
    from saas.audit.verify import Verdict
    from saas.services import Services
    from saas.web.paging import Page
    from tenants.registry import Tenant

app = typer.Typer(name="audit", help="Read, export, verify and prune tenants' audit logs.", no_args_is_help=True)

_Tenants = Annotated[str | None, typer.Option("--tenant", help="The tenant's slug.", show_default="every tenant")]
_Action = Annotated[
    str | None, typer.Option(help="Like user.invited; or user, for all that begins with it.", show_default=False)
]
_Actor = Annotated[str | None, typer.Option(help="Who did it: an id, an address, a name.", show_default=False)]
_Target = Annotated[str | None, typer.Option(help="To whom or what: an id, an address, a name.", show_default=False)]
_Since = Annotated[
    str | None, typer.Option(help="From then on: 7d (ago), 2026-12-01, 2026-12-01T18:00, in UTC.", show_default=False)
]
_Until = Annotated[str | None, typer.Option(help="Before then; written as --since is.", show_default=False)]
_Query = Annotated[str | None, typer.Option("--search", help="A part of a name or of the details.", show_default=False)]
_COLUMNS = ("occurred_at", "action", "actor", "target", "address", "details", "id")


class Format(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"


@app.command("list")
def list_events(
    slug: TenantOption,
    *,
    action: _Action = None,
    actor: _Actor = None,
    target: _Target = None,
    since: _Since = None,
    until: _Until = None,
    query: _Query = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    cursor: Annotated[
        str | None, typer.Option(help="`next_cursor` of the page before, as --json prints it.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List events, the newest first."""
    wanted = _filter(action, actor, target, since, until, query)

    async def work(services: "Services", _: "Tenant", session: "AsyncSession") -> "Page[Event]":
        return await services.audit.list(session, wanted, limit=limit, cursor=cursor)

    page = run_in_tenant(slug, work)
    if as_json:
        output.print_json({"items": [event.model_dump() for event in page.items], "next_cursor": page.next_cursor})
        return
    output.print_table(_COLUMNS, [_row(event) for event in page.items], empty="No such events.")
    if page.next_cursor:
        output.note(f"There are older ones: give --until, a higher --limit, or --cursor {page.next_cursor}")


@app.command()
def show(
    event_id: Annotated[UUID, typer.Argument(metavar="ID", help="As `list` shows it.", show_default=False)],
    slug: TenantOption,
    as_json: JsonOption = False,
) -> None:
    """Show all that is known of one event."""

    async def work(services: "Services", _: "Tenant", session: "AsyncSession") -> "Event":
        return await services.audit.find(session, event_id)

    document = run_in_tenant(slug, work).model_dump()
    if as_json:
        output.print_json(document)
    else:
        output.print_fields(document)


@app.command()
def export(
    slug: TenantOption,
    *,
    form: Annotated[Format, typer.Option("--format", help="csv or jsonl: one JSON document a line.")] = Format.JSONL,
    to: Annotated[
        Path | None, typer.Option("--to", help="A file, made anew.", dir_okay=False, show_default="standard output")
    ] = None,
    action: _Action = None,
    actor: _Actor = None,
    target: _Target = None,
    since: _Since = None,
    until: _Until = None,
    query: _Query = None,
    as_json: JsonOption = False,
) -> None:
    """Write events to a file, the oldest first. That it was done becomes an event, too.

    With --json, and --to, what is printed is how many there were.
    """
    from saas.audit.formats import csv_lines, jsonl_lines  # noqa: PLC0415 - slow to import: not for `--help`

    if as_json and to is None:
        output.fail("--json prints how many events were written: give --to, or take --format jsonl", code=2)
    wanted = _filter(action, actor, target, since, until, query)
    lines = csv_lines if form is Format.CSV else jsonl_lines

    async def work(services: "Services") -> int:
        count = 0
        tenant = await find_tenant(services, slug)
        with _opened(to) as file:
            async for batch in services.audit.export(services.database, tenant, wanted):
                await asyncio.to_thread(file.write, lines(batch, heading=count == 0))
                count += len(batch)
        return count

    count = run(work)
    if as_json:
        output.print_json({"tenant": slug, "events": count, "file": to})
    else:
        output.note(f"{count} events were written.")


@app.command()
def verify(
    slug: _Tenants = None,
    anchor: Annotated[
        str | None, typer.Option(help="What `verify` printed before, and was kept elsewhere.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compute the chain of events again: a row that was changed, added or taken away is found, the last ones too.

    Whoever can write to the database as its owner can write the whole chain anew. Keep the anchor that is printed where
    they cannot write, and give it the next time: then that is found, too. The exit code is 1 where a log is broken.
    """
    from saas.audit.verify import Anchor, verify  # noqa: PLC0415 - slow to import: not for `--help`

    if anchor is not None and slug is None:
        output.fail("An anchor is of one tenant: give --tenant, too", code=2)

    async def work(services: "Services") -> "dict[str, Verdict]":
        kept = None if anchor is None else Anchor.parse(anchor)
        tenants = await _tenants(services, slug)
        verdicts = {}
        with output.progress_bar("Verifying") as bar:
            for done, tenant in enumerate(tenants):
                bar.update(done, len(tenants))
                verdicts[tenant.slug] = await verify(services.database, tenant, kept)
        return verdicts

    found = [_verdict(name, verdict) for name, verdict in run(work).items()]
    if as_json:
        output.print_json(found)
    else:
        columns = ("tenant", "events", "pruned", "broken", "anchor")
        output.print_table(columns, [[each[column] for column in columns] for each in found], empty="No tenants.")
    if any(each["broken"] for each in found):
        output.fail("A log is not what was written: keep the database as it is, and compare with a backup")


@app.command()
def prune(slug: _Tenants = None, as_json: JsonOption = False) -> None:
    """Delete the events that are older than the tenant's plan keeps them, as the worker does by itself."""
    from saas.audit.retention import prune_all  # noqa: PLC0415 - slow to import: not for `--help`

    async def work(services: "Services") -> dict[str, int]:
        tenants = await _tenants(services, slug)
        batch = services.settings.worker.batch
        return {
            tenant.slug: await prune_all(services.database, tenant, timedelta(days=tenant.plan.audit_days), batch)
            for tenant in tenants
        }

    done = run(work)
    if as_json:
        output.print_json([{"tenant": name, "events": count} for name, count in done.items()])
    else:
        output.note(f"{sum(done.values())} events of {len(done)} tenants were past their time, and are deleted.")


def _filter(*given: str | None) -> "EventFilter":
    from saas.audit.log import EventFilter  # noqa: PLC0415 - slow to import: not for `--help`

    action, actor, target, since, until, query = given
    now = datetime.now(UTC)
    return EventFilter(action, actor, target, parse_moment(since, now), parse_moment(until, now), query)


async def _tenants(services: "Services", slug: str | None) -> "list[Tenant]":
    """One, or all that have a log."""
    if slug is not None:
        return [await find_tenant(services, slug)]
    async with services.database.platform_session() as session:
        return [each for each in await services.registry.all(session) if each.status in {"active", "suspended"}]


@contextmanager
def _opened(path: Path | None) -> Iterator[IO[str]]:
    if path is None:
        yield sys.stdout
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file


def _row(event: "Event") -> list[object]:
    actor = event.actor_name or event.actor_id
    who = event.actor_kind if actor is None else f"{event.actor_kind} {actor}"
    whom = " ".join(part for part in (event.target_kind, event.target_name or event.target_id) if part) or None
    details = ", ".join(f"{name}: {value}" for name, value in event.details.items()) or None
    return [event.occurred_at, event.action, who, whom, event.address, details, event.id]


def _verdict(slug: str, verdict: "Verdict") -> dict[str, Any]:
    return {
        "tenant": slug,
        "events": verdict.events,
        "pruned": verdict.pruned,
        "broken": verdict.broken,
        "anchor": None if verdict.head is None else str(verdict.head),
    }
