"""`saas plans` and what `saas tenants` says of plans, on the test session's servers."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import typer
from typer.testing import CliRunner

from saas.cli import app
from saas.cli.times import parse_until

Saas = Callable[..., Any]
#: A Wednesday.
NOW = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)


@pytest.fixture
def saas(environment: dict[str, str], services: object, monkeypatch: pytest.MonkeyPatch) -> Saas:
    """`saas("plans", "list")`: run a command that succeeds; its JSON."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> Any:
        result = CliRunner().invoke(app, [*arguments, "--json"])
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return run


@pytest.fixture
def name() -> str:
    return f"t{uuid4().hex[:12]}"


def refused(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, " ".join(result.stderr.replace("│", "").split())


def test_a_plan_goes_through_versions_and_a_tenant_stays_at_one(saas: Saas, name: str) -> None:
    made = saas("plans", "set", name, "users=2", "--per-minute", "7", "--burst", "2", "--per-day", "70")
    assert (made["version"], made["users"], made["burst"], made["features"]) == (1, 2, 2, [])
    saas("tenants", "create", name, "--owner-email", f"owner@{name}.example", "--plan", name)
    changed = saas("plans", "set", name, "users=none", "features=+custom-domains", "--burst", "3", "--keep-tenants")
    assert changed == {**made, "version": 2, "users": None, "features": ["custom-domains"], "burst": 3}
    assert changed in saas("plans", "list")
    assert saas("plans", "show", name) == changed
    assert saas("plans", "show", name, "--version", "1") == made
    assert saas("plans", "diff", name, "1", "2") == [
        {"field": "burst", "before": 2, "after": 3},
        {"field": "users", "before": 2, "after": None},
        {"field": "features", "before": [], "after": ["custom-domains"]},
    ]
    assert [(each["version"], each["tenants"], each["pinned"]) for each in saas("plans", "history", name)] == [
        (2, 0, 0),
        (1, 1, 1),
    ]
    assert saas("tenants", "show", name)["limits"]["burst"] == 2
    assert saas("tenants", "set-plan", name, name)["plan"] == name
    assert saas("tenants", "show", name)["limits"]["burst"] == 3
    saas("tenants", "set-plan", name, name, "--version", "1")
    shown = saas("tenants", "show", name)
    assert (shown["limits"]["version"], shown["plan_pinned"]) == (1, True)
    for command in (("list",), ("show", name), ("diff", name, "1", "2"), ("diff", name, "1", "1"), ("history", name)):
        result = CliRunner().invoke(app, ["plans", *command])
        assert (result.exit_code, len((result.stdout + result.stderr).splitlines()) > 0) == (0, True)


def test_a_tenant_has_more_for_a_while(saas: Saas, name: str) -> None:
    saas("tenants", "create", name, "--owner-email", f"owner@{name}.example")
    (doubled,) = saas("tenants", "override", name, "requests_per_minute=x2", "--until", "48h")
    assert (doubled["field"], doubled["value"]) == ("requests_per_minute", "x2")
    shown = saas("tenants", "show", name)
    assert (shown["limits"]["requests_per_minute"], shown["overridden_until"]) == (120, doubled["until"])
    assert len(saas("tenants", "override", name, "users=2")) == 2
    assert saas("tenants", "override", name, "--list")[1] == {"field": "users", "value": "2", "until": None}
    assert len(saas("tenants", "override", name, "requests_per_minute", "--clear")) == 1
    assert saas("tenants", "show", name)["limits"]["requests_per_minute"] == 60
    ann, bob = (("--tenant", name, "--email", f"{who}@{name}.example") for who in ("ann", "bob"))
    saas("users", "invite", *ann)
    saas("users", "invite", *ann)  # the same person, not one more
    code, says = refused("users", "create", *bob)
    assert (code, "The plan free allows 2 users, and there are 2: remove one" in says) == (1, True)
    saas("users", "disable", *ann)
    saas("users", "invite", *bob)
    code, says = refused("users", "enable", *ann)
    assert (code, "allows 2 users" in says) == (1, True)
    assert saas("tenants", "override", name, "--clear") == []
    saas("users", "enable", *ann)
    code, says = refused("domains", "add", f"login.{name}.example", "--tenant", name)
    assert (code, "does not include custom domains" in says) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["plans", "set", "free"], 2, "--per-minute"),
        (["plans", "set", "free", "--burst", "0"], 2, "--burst"),
        (["plans", "set", "free", "seats=3"], 1, "users"),
        (["plans", "set", "new", "--burst", "1"], 1, "requests a minute and requests a day"),
        (["plans", "show", "gold"], 1, "choose one of"),
        (["plans", "diff", "free", "1", "99"], 1, "saas plans history free"),
        (["tenants", "override", "nobody", "burst=x2"], 1, "saas tenants list"),
        (["tenants", "override", "nobody"], 2, "burst=x2"),
        (["tenants", "override", "nobody", "--list", "--clear"], 2, "--list"),
        (["tenants", "override", "nobody", "burst=x2", "--until", "someday"], 2, "friday"),
    ],
)
def test_errors_say_what_to_do(saas: Saas, arguments: list[str], code: int, says: str) -> None:
    ended, words = refused(*arguments)
    assert (ended, says in words) == (code, True), words


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("friday", "2026-11-27T00:00"),
        ("Wednesday", "2026-12-02T00:00"),
        ("tuesday", "2026-12-01T00:00"),
        ("2026-12-01", "2026-12-01T00:00"),
        ("2026-12-01T18:00", "2026-12-01T18:00"),
        ("2026-12-01T18:00+02:00", "2026-12-01T16:00"),
        ("48h", "2026-11-27T12:30"),
        ("1d12h", "2026-11-27T00:30"),
    ],
)
def test_until_is_written_as_people_say_it(text: str, until: str) -> None:
    assert parse_until(text, NOW) == datetime.fromisoformat(until).replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "0", "soon", "2026-11-25", "2026-13-01", "2126-01-01", "999999d", "friday!"])
def test_what_is_no_time_to_come_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_until(text, NOW)
