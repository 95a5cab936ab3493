"""`saas keys` and `saas worker --once` on the test session's servers."""

import base64
import json
import os
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


@pytest.fixture
def saas_of_one(own_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Saas:
    """The command on a database with one tenant, `acme`."""
    for name, value in own_environment.items():
        monkeypatch.setenv(name, value)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments)

    document(invoke("migrate", "--json"))
    create = ("tenants", "create", "acme", "--name", "Acme", "--plan", "free", "--owner-email", "ann@acme.example")
    document(invoke(*create, "--json"))
    return invoke


def test_nothing_is_sealed_anew_where_the_master_key_is_the_same(saas_of_one: Saas) -> None:
    assert document(saas_of_one("keys", "rewrap", "--json")) == {"tenants": 1, "rewrapped": 0, "failed": []}


def test_keys_move_to_a_new_master_key_and_what_cannot_is_named(
    saas_of_one: Saas, own_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAAS_SECRETS_MASTER_KEY", base64.b64encode(os.urandom(32)).decode())
    lost = saas_of_one("keys", "rewrap", "--json")
    assert (lost.exit_code, json.loads(lost.stdout)["rewrapped"]) == (1, 0)
    assert [failure["tenant"] for failure in json.loads(lost.stdout)["failed"]] == ["acme"]
    assert "SAAS_SECRETS_PREVIOUS_KEYS" in lost.stdout
    monkeypatch.setenv("SAAS_SECRETS_PREVIOUS_KEYS", own_environment["SAAS_SECRETS_MASTER_KEY"])
    assert document(saas_of_one("keys", "rewrap", "--json"))["rewrapped"] == 1
    monkeypatch.delenv("SAAS_SECRETS_PREVIOUS_KEYS")
    assert document(saas_of_one("keys", "rewrap", "--json"))["rewrapped"] == 0


def test_the_worker_does_what_is_due_and_ends(saas_of_one: Saas) -> None:
    outcomes = {outcome["job"]: outcome for outcome in document(saas_of_one("worker", "--once", "--json"))}
    assert [outcome for outcome in outcomes.values() if outcome["failed"]] == []
    for job in ("audit", "cleanup", "keys", "logouts"):
        assert outcomes[job]["tenants"] == 1
    assert "cleanup" in saas_of_one("worker", "--once").stdout
