"""`saas keys` and `saas worker --once` on the test session's servers."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from saas.cli import app
from tenants.registry import Tenant

Saas = Callable[..., Result]


@pytest.fixture
def saas(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Saas:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def document(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_a_rotation_by_hand_publishes_the_next_key(saas: Saas, tenant: Tenant) -> None:
    (first,) = document(saas("keys", "list", "--tenant", tenant.slug, "--json"))
    assert (first["algorithm"], first["status"]) == ("ES256", "active")
    rotated = document(saas("keys", "rotate", "--tenant", tenant.slug, "--json"))
    assert [key["status"] for key in rotated] == ["active", "next"]
    again = saas("keys", "rotate", "--tenant", tenant.slug)
    assert again.exit_code == 0
    assert "not published long enough" in again.stderr
    assert first["kid"] in saas("keys", "list", "--tenant", tenant.slug).stdout


def test_what_is_not_there_is_told_of(saas: Saas, tenant: Tenant) -> None:
    result = saas("keys", "rotate", "--tenant", tenant.slug, "--alg", "RS256")
    assert result.exit_code == 1
    assert "no RS256 key" in result.stderr
    assert "no tenant 'nobody'" in saas("keys", "list", "--tenant", "nobody").stderr


def test_nothing_is_sealed_anew_where_the_master_key_is_the_same(saas: Saas, tenant: Tenant) -> None:
    done = document(saas("keys", "rewrap", "--json"))
    assert done["tenants"] >= 1
    assert done["rewrapped"] == 0


def test_the_worker_does_what_is_due_and_ends(saas: Saas, tenant: Tenant) -> None:
    outcomes = document(saas("worker", "--once", "--json"))
    assert [outcome["job"] for outcome in outcomes] == ["cleanup", "keys", "logouts"]
    assert all(outcome["failed"] == 0 and outcome["tenants"] >= 1 for outcome in outcomes)
    assert "cleanup" in saas("worker", "--once").stdout
