"""Who did something, and from where: through the API, and on the command line; `saas audit`."""

import getpass
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from saas.audit.log import EventFilter
from saas.cli import app
from saas.services import Services
from tenants.registry import Tenant
from tests.conftest import MakeMachine


async def test_a_machine_acts_under_its_clients_name(services: Services, tenant: Tenant, machine: MakeMachine) -> None:
    client = await machine(tenant)
    (
        await client.post("/api/v1/projects", json={"name": "=1+1"}, headers={"X-Request-Id": "req-12345"})
    ).raise_for_status()
    async with services.database.tenant_session(tenant) as session:
        made, *_ = (await services.audit.list(session, EventFilter())).items
    assert (made.action, made.summary, made.target_name) == ("project.created", "Created a project", "=1+1")
    assert (made.actor_kind, made.actor_name, made.address) == ("client", "Machine", "127.0.0.1")
    assert made.request_id == "req-12345"


def test_the_command_lists_exports_and_verifies(
    environment: dict[str, str], tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def saas(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--tenant", tenant.slug])

    assert saas("roles", "create", "support", "--scope", "projects:read").exit_code == 0
    listed = saas("audit", "list", "--action", "role", "--since", "1h", "--json")
    assert listed.exit_code == 0, listed.output
    page = json.loads(listed.stdout)
    (event,) = page["items"]
    assert (event["actor_kind"], event["actor_name"]) == ("operator", getpass.getuser())
    assert event["id"] in saas("audit", "show", event["id"]).stdout
    assert saas("audit", "export", "--format", "csv", "--to", str(tmp_path / "log.csv")).exit_code == 0
    heading, *rows = (tmp_path / "log.csv").read_text().splitlines()
    assert heading.startswith("id,position,occurred_at,action")
    assert len(rows) == 2
    (verdict,) = json.loads(saas("audit", "verify", "--json").stdout)
    assert verdict["broken"] is None
    assert saas("audit", "verify", "--anchor", verdict["anchor"]).exit_code == 0
    assert saas("audit", "verify", "--anchor", f"1:{'0' * 64}").exit_code == 1
    assert "0 events of 1 tenants" in saas("audit", "prune").stderr
