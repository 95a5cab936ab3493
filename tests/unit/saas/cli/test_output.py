"""What commands print, and where."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
import typer

from saas.cli import output


def test_json_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json(
        {
            "id": UUID(int=1),
            "at": datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
            "path": Path("/x"),
            "scopes": frozenset({"b", "a"}),
            "name": "Ünïcode\n",
        }
    )
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert json.loads(printed) == {
        "id": "00000000-0000-0000-0000-000000000001",
        "at": "2030-01-02T03:04:05+00:00",
        "path": "/x",
        "scopes": ["a", "b"],
        "name": "Ünïcode\n",
    }


def test_json_refuses_what_has_no_form() -> None:
    with pytest.raises(TypeError, match="object has no form in JSON"):
        output.print_json(object())


def test_a_table_shows_values_whole_and_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    secret = "s" * 150
    output.print_table(("name", "value"), [("[bold]x[/bold]", secret), ("none", None), ("flag", True)])
    printed = capsys.readouterr().out
    assert "[bold]x[/bold]" in printed
    assert secret in printed
    assert [line.split() for line in printed.splitlines()[-2:]] == [["none", "-"], ["flag", "yes"]]


def test_a_table_of_nothing_says_so_beside_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(("name",), [], empty="No tenants.")
    assert capsys.readouterr() == ("", "No tenants.\n")


def test_fields(capsys: pytest.CaptureFixture[str]) -> None:
    made = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    output.print_fields({"slug": "acme", "made": made, "scopes": ("b", "a"), "set": {"y", "x"}})
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["slug", "acme"], ["made", "2030-01-02", "03:04:05Z"], ["scopes", "b", "a"], ["set", "x", "y"]]


@pytest.mark.parametrize("code", [1, 2])
def test_an_error_is_one_line_and_an_exit_code(capsys: pytest.CaptureFixture[str], code: int) -> None:
    with pytest.raises(typer.Exit) as ended:
        output.fail("Wrong:\n  do this", code=code)
    assert ended.value.exit_code == code
    assert capsys.readouterr() == ("", "Error: Wrong: do this\n")


def test_a_progress_bar_keeps_quiet_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress_bar("Migrating") as bar:
        bar.update(1, 2)
    assert capsys.readouterr() == ("", "")
