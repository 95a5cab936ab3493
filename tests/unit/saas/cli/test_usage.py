"""`saas tenants usage` on the test session's servers."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from saas.cli import app
from saas.kit.clock import utc_now
from saas.services import Services
from saas.usage.counters import Batch, Counts
from saas.usage.periods import beginning
from saas.usage.service import Use
from tenants.registry import Tenant

Saas = Callable[..., Result]


@pytest.fixture
def saas(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Saas:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str, charset: str = "utf-8") -> Result:
        return CliRunner(charset=charset).invoke(app, ["tenants", *arguments])

    return run


def document(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def _use(*counts: int) -> dict[str, int]:
    return Use(*counts)._asdict()


@pytest.fixture
async def used(services: Services, tenant: Tenant) -> Tenant:
    """Yesterday a thousand requests of one client, and half as many refusals; today ten of another."""
    today = beginning(utc_now(), "day")
    counts = [
        Counts(today - timedelta(days=1), "billing", _use(1000, 500, 7, 2000)),
        Counts(today, "mobile", _use(10, 0, 0, 10)),
    ]
    async with services.database.tenant_session(tenant) as session:
        await services.usage.enter(session, Batch(uuid4(), counts))
    return tenant


def test_what_was_used_is_a_chart(saas: Saas, used: Tenant) -> None:
    shown = saas("usage", used.slug)
    assert shown.exit_code == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2].split()[:2] == ["day", "0"]
    days = lines[-8:]  # seven, and their sum
    bars = [(line.count("█"), line.count("░")) for line in days]
    full, light = bars[-3]
    assert full > light > 5
    assert bars == [*[(0, 0)] * 5, (full, light), (1, 0), (0, 0)]
    assert days[-3].split()[2:5] == ["1,000", "500", "2,000"]
    assert days[-1].split() == ["total", "1,010", "500", "2,010"]
    assert "7 of the requests would have been refused" in shown.stderr
    plain = saas("usage", used.slug, "--by", "client", charset="ascii").stdout.splitlines()[-3:]
    assert [(line.split()[0], line.count("#") > 10, line.count("-") > 5) for line in plain[:2]] == [
        ("billing", True, True),
        ("mobile", False, False),
    ]


def test_what_was_used_as_a_document(saas: Saas, used: Tenant) -> None:
    found = document(saas("usage", used.slug, "--days", "2", "--json"))
    assert [each["requests"] for each in found["usage"]] == [1000, 10]
    assert found["totals"] == {"requests": 1010, "refusals": 500, "would_refuse": 7, "cost": 2010}
    assert found["quotas"][0].keys() == {"calendar", "limit", "used", "projected", "resets_at"}
    hours = document(saas("usage", used.slug, "--days", "1", "--json"))
    assert (hours["by"], hours["totals"]["requests"]) == ("hour", 10)
    clients = document(saas("usage", used.slug, "--by", "client", "--json"))["usage"]
    assert [each["client_id"] for each in clients] == ["billing", "mobile"]
    assert document(saas("stats", used.slug, "--json"))["requests"] == 1010
    assert "saas tenants list" in saas("usage", "nobody").stderr
