"""Events as text, for other programs: CSV (RFC 4180) or one JSON document a line."""

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final, NamedTuple

from saas.audit.log import Event

#: What a spreadsheet takes for a formula, where a cell begins with it.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class Format(NamedTuple):
    media_type: str
    lines: Callable[..., str]


def jsonl_lines(events: Sequence[Event], *, heading: bool = False) -> str:  # noqa: ARG001 - as `csv_lines`
    """There is no heading."""
    return "".join(f"{event.model_dump_json()}\n" for event in events)


def csv_lines(events: Sequence[Event], *, heading: bool = False) -> str:
    """Details are JSON. What would be a formula has an apostrophe before it: names are anybody's choice."""
    text = io.StringIO()
    writer = csv.writer(text)
    if heading:
        writer.writerow(Event.model_fields)
    for event in events:
        writer.writerow([_cell(value) for value in event.model_dump(mode="json").values()])
    return text.getvalue()


FORMATS: Final[Mapping[str, Format]] = {
    "csv": Format("text/csv", csv_lines),
    "jsonl": Format("application/jsonl", jsonl_lines),
}


async def exported(batches: AsyncIterator[Sequence[Event]], form: str) -> AsyncIterator[str]:
    """What `AuditService.export` yields, as text. `form` is one of FORMATS; without events, CSV has its heading."""
    lines = FORMATS[form].lines
    yield lines((), heading=True)
    async for batch in batches:
        yield lines(batch)


def _cell(value: object) -> object:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
