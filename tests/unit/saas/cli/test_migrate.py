"""`saas migrate` on a database of its own."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from saas.cli import app
from tenants.migrate.render import PLATFORM, TENANT

Saas = Callable[..., Result]


@pytest.fixture
def saas(own_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Saas:
    for name, value in own_environment.items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def document(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def execute(url: str, *statements: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(run())


def test_from_nothing_to_verified(saas: Saas, own_environment: dict[str, str]) -> None:
    url = own_environment["SAAS_DATABASE_URL"]
    revisions = [step.revision for step in PLATFORM.steps]
    assert document(saas("migrate", "--plan", "--json")) == {"platform": {"default": revisions}, "tenants": []}
    assert "CREATE TABLE platform.tenants" in saas("migrate", "--sql").stdout
    assert document(saas("migrate", "--json"))["platform"]["applied"]
    assert "Nothing is behind" in saas("migrate", "--plan").stderr
    made = [
        document(saas("tenants", "create", slug, "--owner-email", "a@example.org", "--json"))["tenant"]
        for slug in ("one", "two")
    ]
    schemas = [f"t_{tenant['id'].replace('-', '')}" for tenant in made]
    last = TENANT.steps[-1].revision
    before = TENANT.steps[-2].revision
    execute(url, f"UPDATE platform.tenants SET revision = '{before}'")  # as where the registry has not heard of it
    plan = document(saas("migrate", "--plan", "--json"))
    assert plan["tenants"] == [
        {"database": "default", "revision": before, "runs": [last], "tenants": ["one", "two"]},
    ]
    assert "one two" in saas("migrate", "--plan").stdout
    assert all(part["revision"] == last for part in document(saas("migrate", "--sql", "--json")))
    wrong = saas("migrate", "--canary", "ons")
    assert (wrong.exit_code, "saas tenants list" in wrong.stderr) == (1, True)
    done = document(saas("migrate", "--canary", "two", "--json"))["tenants"]
    assert done == {"migrated": ["two", "one"], "failed": [], "halted": None, "left": 0}
    _check_drift(saas, url, schemas[0])


def _check_drift(saas: Saas, url: str, schema: str) -> None:
    assert document(saas("migrate", "verify", "--json")) == {"verified": 2, "differing": []}
    execute(url, f'ALTER TABLE "{schema}".users DROP CONSTRAINT users_email_key')
    words = "constraint users.users_email_key is missing: UNIQUE (email_key)"
    found = saas("migrate", "verify", "one", "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["differing"] == [{"slug": "one", "remaining": [words], "repaired": []}]
    assert "--repair" in found.stderr
    assert document(saas("migrate", "verify", "two", "--json"))["differing"] == []
    mended = document(saas("migrate", "verify", "--repair", "--json"))
    assert mended["differing"] == [{"slug": "one", "remaining": [], "repaired": [words]}]
    assert "what their revision says" in saas("migrate", "verify").stderr
