"""`saas tenants move`: to another database."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import run
from saas.cli.times import parse_duration

if TYPE_CHECKING:
    from saas.services import Services
    from tenants.transfer.journal import Known
    from tenants.transfer.moving import Moved

_WORDS = {
    "moved": "{slug} is in {target}: {rows} rows, its requests waited {pause} s. ",
    "resumed": "A move that was stopped was resumed: {slug} is in {target}, with {rows} rows that were copied again. ",
    "finished": "A move that was stopped was finished: {slug} is in {target}. ",
    "rolled back": "The move was rolled back: {slug} is in {source}, as before. ",
}


def move(
    slug: Annotated[str | None, typer.Argument(help="The tenant's short name.", show_default=False)] = None,
    *,
    to: Annotated[str | None, typer.Option(help="See `saas databases list`.", show_default=False)] = None,
    keep: Annotated[str, typer.Option(help="How long the old copy stays, unused.")] = "7d",
    rollback: Annotated[bool, typer.Option("--rollback", help="Undo a move that was stopped before its end.")] = False,
    status: Annotated[bool, typer.Option("--status", help="List moves under way, and old copies.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Move a tenant to another database. Its requests wait for some seconds; no row is lost or doubled.

    Stopped half-way, run it again: it goes on from there, or is undone with --rollback, and says which.
    """
    if status:
        _print_status(run(_list), as_json)
        return
    if slug is None:
        output.fail("Say which tenant: `saas tenants move SLUG --to DATABASE`", code=2)
    done = run(lambda services: _move(services, slug, to, keep, rollback=rollback))
    if as_json:
        output.print_json(asdict(done))
        return
    dropped = f"The old copy is dropped after {done.drop_at:%Y-%m-%d %H:%M} UTC." if done.drop_at else ""
    output.note((_WORDS[done.how].format(**asdict(done)) + dropped).strip())


async def _move(services: "Services", slug: str, to: str | None, keep: str, *, rollback: bool) -> "Moved":
    from saas.audit.tenancy import tell_moved  # noqa: PLC0415 - slow to import: not for `--help`
    from tenants.transfer.moving import Mover  # noqa: PLC0415

    with output.progress_bar(f"{slug}: rows") as bar:
        mover = Mover(services.database, services.registry, told=tell_moved, on_progress=bar.update)
        if rollback:
            return await mover.roll_back(slug)
        return await mover.move(slug, to, parse_duration(keep))


async def _list(services: "Services") -> "list[Known]":
    from tenants.transfer.journal import list_moves  # noqa: PLC0415 - slow to import: not for `--help`

    async with services.database.platform_session() as session:
        return await list_moves(session)


def _print_status(known: "list[Known]", as_json: bool) -> None:
    if as_json:
        output.print_json([asdict(each) for each in known])
        return
    columns = ("slug", "source", "target", "state", "started_at", "drop_at")
    rows = [[getattr(each, column) for column in columns] for each in known]
    output.print_table(columns, rows, empty="No moves under way, and no old copies.")
