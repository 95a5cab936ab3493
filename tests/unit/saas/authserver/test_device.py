"""Codes that people type."""

import pytest

from saas.authserver.device import canonical, new_user_code, shown


def test_a_code_is_two_groups_of_letters_that_are_not_mistaken() -> None:
    codes = {new_user_code() for _ in range(200)}
    assert len(codes) == 200
    assert set("".join(codes)) == set("BCDFGHJKLMNPQRSTVWXZ")
    assert shown("BCDFGHJK") == "BCDF-GHJK"
    assert all(canonical(shown(code)) == code for code in codes)


@pytest.mark.parametrize(
    "typed",
    ["BCDF-GHJK", "bcdfghjk", " b c d f g h j k ", "BcDf - GhJk", "BCDF\u2013GHJK", "bcdf_ghjk", "BCDF\u00a0GHJK"],
)
def test_people_may_type_it_as_they_like(typed: str) -> None:
    assert canonical(typed) == "BCDFGHJK"


@pytest.mark.parametrize(
    "typed", ["", "BCDFGHJ", "BCDFGHJKL", "ACDFGHJK", "BCDFGHJ1", "BCDF/GHJK", "B" + " " * 40 + "CDFGHJK"]
)
def test_what_cannot_be_a_code(typed: str) -> None:
    assert canonical(typed) is None
