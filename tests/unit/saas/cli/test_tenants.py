"""`saas tenants`, `plans`, `users` and `migrate` on the test session's servers."""

import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from saas.cli import app
from tests.processes import Server

Saas = Callable[..., Result]
LIVE = "/.well-known/oauth-authorization-server"


@pytest.fixture
def saas(environment: dict[str, str], services: object, monkeypatch: pytest.MonkeyPatch) -> Saas:
    """`saas("tenants", "list")`: run a command; `typed` is what is typed."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(app, arguments, input=typed)

    return run


@pytest.fixture
def slug() -> str:
    return f"t{uuid4().hex[:12]}"


def document(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def create(saas: Saas, slug: str, *options: str) -> Any:
    owner = f"owner@{slug}.example"
    return document(saas("tenants", "create", slug, "--owner-email", owner, "--json", *options))


def test_create_twice(saas: Saas, slug: str) -> None:
    made = create(saas, slug, "--name", "Acme GmbH", "--plan", "pro", "--domain", f"login.{slug}.example")
    assert made["created"] is True
    assert len(made["owner_password"]) > 20
    tenant = made["tenant"]
    assert (tenant["name"], tenant["plan"], tenant["status"]) == ("Acme GmbH", "pro", "active")
    assert tenant["issuer"] == f"http://{slug}.localhost:8000"
    assert tenant["domains"] == [f"login.{slug}.example"]
    again = create(saas, slug, "--plan", "free")
    assert again == {"created": False, "tenant": tenant}
    text = saas("tenants", "create", slug, "--owner-email", "x@example.org")
    assert text.exit_code == 0
    assert "nothing was changed" in text.stderr
    assert "owner_password" not in text.stdout


def test_password_is_printed_once_as_text_too(saas: Saas, slug: str) -> None:
    result = saas("tenants", "create", slug, "--owner-email", f"owner@{slug}.example")
    assert result.exit_code == 0, result.stderr
    assert "owner_password" in result.stdout
    assert "shown this once" in result.stderr


def test_list_and_show(saas: Saas, slug: str) -> None:
    made = create(saas, slug)["tenant"]
    assert made in document(saas("tenants", "list", "--json"))
    assert made in document(saas("tenants", "list", "--json", "--status", "active", "--plan", "free"))
    assert made not in document(saas("tenants", "list", "--json", "--status", "suspended"))
    assert slug in saas("tenants", "list").stdout
    shown = document(saas("tenants", "show", slug, "--json"))
    assert made.items() <= shown.items()
    assert (shown["limits"]["requests_per_minute"], shown["limits"]["users"], shown["plan_pinned"]) == (60, 5, False)
    assert f"http://{slug}.localhost:8000" in saas("tenants", "show", slug).stdout


def test_running_server_follows_within_a_second(saas: Saas, slug: str, server: Server) -> None:
    create(saas, slug)
    with server.client() as client:
        client.headers["Host"] = f"{slug}.localhost"

        def within_a_second(status: int) -> None:
            deadline = time.monotonic() + 1
            while (answer := client.get(LIVE)).status_code != status:
                assert time.monotonic() < deadline, f"{answer.status_code}, not {status}"

        within_a_second(200)
        suspended = document(saas("tenants", "suspend", slug, "--reason", "unpaid bills", "--json"))
        within_a_second(403)
        assert (suspended["status"], suspended["suspended_reason"]) == ("suspended", "unpaid bills")
        assert "unpaid bills" in client.get(LIVE).json()["detail"]
        assert document(saas("tenants", "resume", slug, "--json"))["status"] == "active"
        within_a_second(200)
        assert document(saas("tenants", "delete", slug, "--yes", "--json"))["deleted"] == slug
        within_a_second(404)
        assert document(saas("tenants", "restore", slug, "--json"))["status"] == "active"
        within_a_second(200)
        document(saas("tenants", "rename", slug, f"{slug}-next", "--json"))
        within_a_second(308)
        assert client.get(LIVE).headers["location"] == f"http://{slug}-next.localhost:8000{LIVE}"
        document(saas("tenants", "delete", f"{slug}-next", "--now", "--yes", "--json"))
        within_a_second(404)


def test_delete_asks_for_the_slug(saas: Saas, slug: str) -> None:
    create(saas, slug)
    for typed, says in (("nope\n", "not its slug"), ("", "--yes")):
        refused = saas("tenants", "delete", slug, typed=typed)
        assert refused.exit_code == 1
        assert says in refused.stderr
        assert saas("tenants", "show", slug).exit_code == 0
    deleted = saas("tenants", "delete", slug, "--now", "--json", typed=f"{slug}\n")
    # the runner echoes what is typed
    assert deleted.stdout.splitlines()[-1] == json.dumps({"deleted": slug, "purge_at": None})
    assert create(saas, slug)["created"] is True


def test_reset_password(saas: Saas, slug: str) -> None:
    made = create(saas, slug)
    owner = f"Owner@{slug}.example"
    reset = document(saas("users", "reset-password", "--tenant", slug, "--email", owner, "--json"))
    assert set(reset) == {"tenant", "email", "password"}
    assert reset["password"] != made["owner_password"]


def test_migrate_when_there_is_nothing_to_do(saas: Saas) -> None:
    assert document(saas("migrate", "--json")) == {
        "platform": {"applied": []},
        "tenants": {"migrated": [], "failed": [], "halted": None, "left": 0},
    }
    text = saas("migrate")
    assert (text.exit_code, text.stdout) == (0, "")
    assert text.stderr == "Platform: up to date.\nTenants: up to date.\n"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["tenants", "create", "Acme", "--owner-email", "a@example.org"], 1, "is not a slug"),
        (["tenants", "create", "api", "--owner-email", "a@example.org"], 1, "choose another slug"),
        (["tenants", "create", "newone", "--owner-email", "nobody"], 1, "write it like ann@example.com"),
        (["tenants", "create", "newone", "--owner-email", "a@example.org", "--plan", "x"], 1, "choose one of"),
        (
            ["tenants", "create", "newone", "--owner-email", "a@example.org", "--domain", "x"],
            1,
            "like login.example.com",
        ),
        (["tenants", "create", "newone"], 2, "--owner-email"),
        (["tenants", "show", "nobody"], 1, "saas tenants list"),
        (["tenants", "suspend", "nobody", "--reason", "x"], 1, "saas tenants list"),
        (["tenants", "suspend", "nobody"], 2, "--reason"),
        (["tenants", "resume", "nobody"], 1, "saas tenants list"),
        (["tenants", "set-plan", "nobody", "free"], 1, "saas tenants list"),
        (["tenants", "set-plan", "nobody", "gold"], 1, "saas tenants list"),
        (["tenants", "delete", "nobody", "--yes"], 1, "saas tenants list"),
        (["plans", "set", "free"], 2, "--per-minute"),
        (["plans", "set", "free", "--burst", "0"], 2, "--burst"),
        (["plans", "set", "new", "--burst", "1"], 1, "requests a minute and requests a day"),
        (["users", "reset-password", "--tenant", "nobody", "--email", "a@b.example"], 1, "saas tenants list"),
    ],
)
def test_errors_say_what_to_do(saas: Saas, arguments: list[str], code: int, says: str) -> None:
    result = saas(*arguments)
    assert result.exit_code == code, result.stderr
    assert says in " ".join(result.stderr.replace("│", "").split())
    assert not result.stdout


def test_unknown_person(saas: Saas, slug: str) -> None:
    create(saas, slug)
    result = saas("users", "reset-password", "--tenant", slug, "--email", "nobody@example.org")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "check its spelling" in result.stderr


@pytest.mark.parametrize("noun", ["tenants", "plans", "users", "migrate"])
def test_help(saas: Saas, noun: str) -> None:
    result = saas(noun, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout
