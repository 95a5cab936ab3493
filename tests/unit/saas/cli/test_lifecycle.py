"""What operators do with tenants that are there: rename, delete, look into, and their domains."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from saas.cli import app

Saas = Callable[..., Result]


@pytest.fixture
def saas(own_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Saas:
    """Commands on an empty, migrated database; `typed` is what is typed."""
    for name, value in own_environment.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(app, arguments, input=typed)

    assert run("migrate").exit_code == 0
    return run


def document(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_tenants_are_changed_looked_into_and_taken_away(
    saas: Saas, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    made = {}
    for slug in ("acme", "globex"):
        made[slug] = document(
            saas("tenants", "create", slug, "--owner-email", "a@example.org", "--plan", "pro", "--json")
        )
    schema = f"t_{made['acme']['tenant']['id'].replace('-', '')}"
    check_rename(saas)
    check_domains(saas)
    check_run(saas, schema, capfd)
    check_shell(saas, schema, monkeypatch)
    check_stats(saas)
    check_delete(saas)


def check_rename(saas: Saas) -> None:
    for new in ("apex", "acme"):
        before = "acme" if new == "apex" else "apex"
        renamed = document(
            saas("tenants", "rename", before, new, "--name", new.title(), "--redirect-for", "1h", "--json")
        )
        assert (renamed["slug"], renamed["issuer"]) == (new, f"http://{new}.localhost:8000")
    assert "learn of the new issuer" in saas("tenants", "rename", "globex", "initech").stderr
    assert "back" not in saas("tenants", "rename", "initech", "globex", "--redirect-for", "0").stderr
    for arguments, says in (
        (("acme", "apex", "--redirect-for", "soon"), "is not a duration"),
        (("globex", "apex"), "renamed, until"),
        (("globex", "acme"), "choose another slug"),
    ):
        refused = saas("tenants", "rename", *arguments)
        assert refused.exit_code in {1, 2}
        assert says in " ".join(refused.stderr.replace("│", "").split())


def check_domains(saas: Saas) -> None:
    host = "login.acme.example"
    added = document(saas("domains", "add", host, "--tenant", "acme", "--json"))
    assert added["record"] == f"_saas-challenge.{host}"
    assert added["value"] in saas("domains", "add", host, "--tenant", "acme").stdout
    told = document(saas("audit", "list", "--tenant", "acme", "--action", "domain.added", "--json"))["items"]
    assert [event["target_name"] for event in told] == [host]
    assert document(saas("domains", "list", "--tenant", "acme", "--json")) == [added]
    assert host in saas("domains", "list", "--tenant", "acme").stdout
    assert document(saas("tenants", "show", "acme", "--json"))["domains"] == []
    assert document(saas("domains", "remove", host, "--tenant", "acme", "--json"))["removed"] == host
    assert saas("domains", "remove", host, "--tenant", "acme").exit_code == 1


def check_run(saas: Saas, schema: str, capfd: pytest.CaptureFixture[str]) -> None:
    one = saas("tenants", "run", "acme", "--", "sh", "-c", 'echo "$SAAS_TENANT $PGOPTIONS $DATABASE_URL"; exit 3')
    words = capfd.readouterr().out.split()
    assert (one.exit_code, words[:2]) == (3, ["acme", f"-csearch_path={schema}"])
    assert words[2].endswith(f"options=-csearch_path%3D{schema}")
    fails = 'echo here; [ "$SAAS_TENANT" = globex ]'
    each = saas("tenants", "run", "--all", "--parallel", "2", "--json", "--", "sh", "-c", fails)
    assert each.exit_code == 1
    assert [(row["tenant"], row["exit_code"]) for row in json.loads(each.stdout)] == [("acme", 1), ("globex", 0)]
    assert sorted(each.stderr.split()) == ["acme", "globex", "here", "here", "|", "|"]
    assert saas("tenants", "run", "acme", "--", f"no-{uuid4().hex}").exit_code == 127
    assert "two hyphens" in saas("tenants", "run", "acme").stderr


def check_shell(saas: Saas, schema: str, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = (
        "print(session.scalar(text('SELECT current_schema()')), tenant.slug)",
        "print(session.execute(text('DELETE FROM users')).rowcount, 'gone')",
        "",
    )
    for _ in range(2):
        result = saas("tenants", "shell", "acme", "--python", typed="\n".join(typed))
        assert result.exit_code == 0, result.stderr
        assert f"{schema} acme" in result.stdout
        assert "1 gone" in result.stdout, "what was not committed is undone"
    started: list[dict[str, str]] = []

    def start(_: list[str], env: dict[str, str]) -> int:
        started.append(env)
        return 4

    monkeypatch.setattr("subprocess.call", start)
    assert saas("tenants", "shell", "acme").exit_code == 4
    assert started[0]["PGOPTIONS"] == f"-csearch_path={schema}"


def check_stats(saas: Saas) -> None:
    rows = document(saas("tenants", "stats", "--json"))
    assert [row["tenant"] for row in rows] == ["acme", "globex"]
    assert all(row["tables"] > 10 and row["bytes"] > 8192 for row in rows)
    assert document(saas("tenants", "stats", "acme", "--json")).keys() == rows[0].keys()
    assert "kB" in saas("tenants", "stats").stdout


def check_delete(saas: Saas) -> None:
    deleted = document(saas("tenants", "delete", "acme", "--grace", "2d", "--yes", "--json"))
    left = datetime.fromisoformat(deleted["purge_at"]) - datetime.now(UTC)
    assert timedelta(hours=47) < left <= timedelta(days=2)
    (listed,) = document(saas("tenants", "list", "--status", "deleted", "--json"))
    assert (listed["slug"], listed["purge_at"]) == ("acme", deleted["purge_at"])
    assert "purge_at" in saas("tenants", "list").stdout
    assert saas("tenants", "run", "acme", "--", "true").exit_code == 1
    assert document(saas("tenants", "restore", "acme", "--json"))["purge_at"] is None
    assert saas("tenants", "delete", "acme", "--now", "--grace", "1d", "--yes").exit_code == 2
    assert document(saas("tenants", "delete", "acme", "--now", "--yes", "--json"))["purge_at"] is None
    assert saas("tenants", "restore", "acme").exit_code == 1
