"""What commands print: tables for people or one JSON document on standard output, everything else on standard error."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn
from uuid import UUID

import typer
from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

#: The flag that every command has.
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]

#: Columns of a table that goes to a pipe or a file, where nothing is gained by folding at 80.
_PIPE_WIDTH = 240


def print_json(document: object) -> None:
    """One JSON document on one line. Knows UUIDs, datetimes, paths and sets."""
    typer.echo(json.dumps(document, default=_encode, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "Nothing to show.") -> None:
    """A table with a heading; `empty` is printed (on standard error) where there are no rows.

    Values that are too wide are folded, never cut: they are there to be copied.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_text(value) for value in row))
    if table.row_count:
        _stdout().print(table)
    else:
        note(empty)


def print_fields(fields: Mapping[str, object]) -> None:
    """One thing: a line for each field, its name before its value."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(name, _text(value))
    _stdout().print(table)


def note(message: str) -> None:
    """A line for the person at the terminal; never part of the result."""
    typer.echo(message, err=True)


def fail(message: str, *, code: int = 1) -> NoReturn:
    """End the command: `message`, as one line that names the next step, and the exit code (2: wrong usage)."""
    typer.secho("Error: ", fg=typer.colors.RED, bold=True, err=True, nl=False)
    typer.echo(" ".join(message.split()), err=True)
    raise typer.Exit(code)


@contextmanager
def progress_bar(label: str) -> Iterator["ProgressBar"]:
    """A bar on standard error while the block runs; nothing where that is not a terminal."""
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), _RateColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        yield ProgressBar(bar)


class ProgressBar:
    """Moved with `update(done, total)`, as often as one likes."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None)

    def update(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total)


class _RateColumn(ProgressColumn):
    """How many are done in a second."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.0f}/s")


def _stdout() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=_PIPE_WIDTH)


def _text(value: object) -> Text:
    if isinstance(value, Text):
        return value
    if value is None:
        return Text("-")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, datetime):
        return Text(value.strftime("%Y-%m-%d %H:%M:%SZ"))
    if isinstance(value, (list, tuple, set, frozenset)):
        return Text(" ".join(str(part) for part in (sorted(value) if isinstance(value, (set, frozenset)) else value)))
    return Text(str(value))


def _encode(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (UUID, Path)):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
