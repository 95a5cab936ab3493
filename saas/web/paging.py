"""Cursors: a page begins after the last row of the one before, so a list may change while it is read."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field, TypeAdapter

from saas.web.problems import InvalidRequest

T = TypeVar("T")

_cursor: Final = TypeAdapter(tuple[str, str, UUID])


class Page(BaseModel, Generic[T]):
    items: list[T]
    next_cursor: str | None = Field(description="Where the next page begins; null on the last")


def encode_cursor(sort: str, value: str, row_id: UUID) -> str:
    """The place after the row that has `value` in the column that is sorted by. Opaque, yet nothing secret."""
    document = json.dumps([sort, value, row_id.hex], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(document.encode()).rstrip(b"=").decode()


def decode_cursor(text: str, sort: str, parse: Callable[[str], T]) -> tuple[T, UUID]:
    """The value and the id to go on after. It is input like any other: `parse` raises ValueError at a wrong value.

    Raises InvalidRequest where the text is no cursor, or one of another sort order.
    """
    try:
        made_for, value, row_id = _cursor.validate_json(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if made_for == sort:
            return parse(value), row_id
    except ValueError as error:
        raise InvalidRequest("The cursor is not one that this list gave out: begin without one") from error
    raise InvalidRequest("The cursor is for another sort order: keep the sort, or begin without a cursor")


def parse_instant(value: str) -> datetime:
    """An ISO 8601 date and time with an offset. Raises ValueError."""
    instant = datetime.fromisoformat(value)
    if instant.tzinfo is None:
        raise ValueError("an instant needs an offset")
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("out of range") from error
