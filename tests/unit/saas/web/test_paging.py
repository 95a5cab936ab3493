import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saas.web.paging import decode_cursor, encode_cursor, parse_instant
from saas.web.problems import InvalidRequest

ID = UUID("01900000-0000-7000-8000-000000000000")


def cursor(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode()


@given(value=st.text(max_size=200), row_id=st.uuids())
def test_a_cursor_leads_back(value: str, row_id: UUID) -> None:
    assert decode_cursor(encode_cursor("name", value, row_id), "name", str) == (value, row_id)


def test_the_longest_name_fits() -> None:
    assert len(encode_cursor("-created_at", "\U0001f600" * 200, ID)) < 2048


@given(text=st.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    with pytest.raises(InvalidRequest):
        decode_cursor(text, "name", str)


@given(document=st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_no_document_breaks_it(document: object) -> None:
    with pytest.raises(InvalidRequest):
        decode_cursor(cursor(document), "name", str)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=",
        "A",
        cursor(["name", "x"]),
        cursor(["name", "x", "not-an-id"]),
        cursor(["name", 1, ID.hex]),
        cursor(["name", "\ud800", ID.hex]),
        cursor({"name": "x"}),
        base64.urlsafe_b64encode(b"[" * 1500).decode(),
        encode_cursor("name", "x", ID)[:-4],
        "ü" * 40,
    ],
)
def test_what_is_no_cursor_says_so(text: str) -> None:
    with pytest.raises(InvalidRequest, match="begin without one"):
        decode_cursor(text, "name", str)


def test_a_cursor_of_another_order_says_so() -> None:
    with pytest.raises(InvalidRequest, match="another sort order"):
        decode_cursor(encode_cursor("name", "x", ID), "-created_at", parse_instant)


def test_an_instant_comes_back_in_utc() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, timezone(timedelta(hours=2)))
    assert parse_instant(moment.isoformat()) == moment
    assert parse_instant(moment.isoformat()).tzinfo is UTC


@pytest.mark.parametrize(
    "value", ["", "x", "2026-01-02", "2026-01-02T03:04:05", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]
)
def test_what_is_no_instant_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_instant(value)
