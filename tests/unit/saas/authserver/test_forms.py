from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saas.authserver.errors import InvalidRequest
from saas.authserver.forms import MAX_FORM, form_decoded, parse_form

TYPE = "application/x-www-form-urlencoded"
FIELDS = st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=32)


@pytest.mark.parametrize(
    ("body", "pairs"),
    [
        (b"", []),
        (b"a=1&b=%C3%A9+%2B", [("a", "1"), ("b", "\u00e9 +")]),
        (b"a&b=&=c", [("a", ""), ("b", ""), ("", "c")]),
        (b"a=1;b=2", [("a", "1;b=2")]),
    ],
)
def test_fields(body: bytes, pairs: list[tuple[str, str]]) -> None:
    assert parse_form(f"{TYPE}; charset=UTF-8", body) == pairs


@given(FIELDS)
def test_what_is_encoded_is_read_again(fields: list[tuple[str, str]]) -> None:
    assert parse_form(TYPE, urlencode(fields).encode()) == fields


@given(st.text(alphabet="ab=&%+23AFé:;", max_size=60))
def test_what_anybody_writes_is_read_as_others_read_it(text: str) -> None:
    try:
        expected = parse_qsl(text, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        with pytest.raises(InvalidRequest, match="UTF-8"):
            parse_form(TYPE, text.encode())
    else:
        if len(expected) <= 32:
            assert parse_form(TYPE, text.encode()) == expected


@pytest.mark.parametrize(
    ("content_type", "body", "reason"),
    [
        (None, b"a=b", "Content-Type"),
        ("application/json", b"a=b", "Content-Type"),
        (TYPE, b"a=" + b"b" * MAX_FORM, "larger"),
        (TYPE, b"&".join([b"a=b"] * 33), "fields"),
        (TYPE, b"a=\xff", "UTF-8"),
        (TYPE, b"a=%ff", "UTF-8"),
    ],
)
def test_what_is_no_form_is_refused(content_type: str | None, body: bytes, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        parse_form(content_type, body)


def test_a_secret_is_decoded_as_the_form_is() -> None:
    assert form_decoded("a%3Ab+c%2B") == "a:b c+"
    assert form_decoded("dGVzdA-_") == "dGVzdA-_"
