import pytest
from hypothesis import given
from hypothesis import strategies as st

from saas.authserver.refresh import RefreshToken


def test_a_token_is_read_as_it_was_written() -> None:
    token = RefreshToken.new()
    assert RefreshToken.parse(str(token)) == token


def test_a_rotation_keeps_the_handle_alone() -> None:
    token = RefreshToken.new()
    rotated = token.rotated()
    assert rotated.handle == token.handle
    assert rotated.secret != token.secret


def test_it_does_not_show_itself_in_logs() -> None:
    token = RefreshToken.new()
    assert token.secret not in repr(token)
    assert token.handle not in repr(token)


@pytest.mark.parametrize(
    "text", ["", ".", "a.b", "a" * 22 + "." + "b" * 42, "a" * 22 + "." + "b" * 43 + "\n", "a" * 66]
)
def test_what_is_none(text: str) -> None:
    assert RefreshToken.parse(text) is None


@given(st.text())
def test_no_text_makes_it_fail(text: str) -> None:
    token = RefreshToken.parse(text)
    assert token is None or str(token) == text
