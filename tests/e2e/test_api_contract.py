"""The API does what its OpenAPI document says: Schemathesis asks a server process all that it allows, and more."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from hypothesis.configuration import storage_directory
from sqlalchemy import text

from saas.services import Services
from tenants.overrides import set_overrides
from tenants.registry import Tenant
from tests.conftest import MakeTenant
from tests.factories import MachineFactory
from tests.processes import Server

_CONFIG: Final = Path(__file__).with_name("schemathesis.toml")
_HOOKS: Final = Path(__file__).with_name("contract_hooks.py")
#: What repeats a run.
_SEED: Final = "SAAS_TEST_SEED"
#: Above what a run sends.
_NO_LIMIT: Final = {"requests_per_minute": "1000000", "burst": "100000", "requests_per_day": "1000000000"}


async def test_every_answer_is_one_that_the_document_promises(
    server: Server, services: Services, make_tenant: MakeTenant, tmp_path: Path
) -> None:
    tenant = await make_tenant()
    async with services.database.platform_session() as session:
        await set_overrides(session, tenant.slug, _NO_LIMIT, None)
    (_, other), (token, _) = [await _machine(services, server, tenant) for _ in range(2)]
    with server.client(tenant) as client:
        (tmp_path / "openapi.json").write_bytes(client.get("/openapi.json").content)
    (tmp_path / _CONFIG.name).write_text(_CONFIG.read_text().replace("OTHER_CLIENT", other))
    _attack(tmp_path, server, tenant, token)
    async with services.database.tenant_session(tenant) as session:
        made = await session.scalar(text("SELECT count(*) FROM oauth_clients"))
    assert made > 10, "hardly an app could be made: the requests no longer say what the API accepts"


async def _machine(services: Services, server: Server, tenant: Tenant) -> tuple[str, str]:
    """A program that may do everything: its token and its client id."""
    scopes = [name for name in services.catalogue.names if ":" in name]
    async with services.database.tenant_session(tenant) as session:
        made = await services.clients.create(session, tenant, MachineFactory(scopes=scopes))
    with server.client(tenant) as client:
        form = {"grant_type": "client_credentials"}
        answer = client.post("/oauth2/token", data=form, auth=(made.client_id, made.secret)).raise_for_status()
    return str(answer.json()["access_token"]), made.client_id


def _attack(folder: Path, server: Server, tenant: Tenant, token: str) -> None:
    seed = os.environ.get(_SEED) or str(int.from_bytes(os.urandom(4)))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", _CONFIG.name, "run", "openapi.json"]
    command += ["--url", f"http://127.0.0.1:{server.port}", "--header", f"Host: {tenant.host}", "--seed", seed]
    command += ["--header", f"Authorization: Bearer {token}"]
    # There Hypothesis finds its table of all characters, or leaves it for others: it takes two seconds to make.
    shared = {
        **os.environ,
        "HYPOTHESIS_STORAGE_DIRECTORY": str(storage_directory().path),
        "SCHEMATHESIS_HOOKS": str(_HOOKS),
    }
    ran = subprocess.run(command, cwd=folder, env=shared, capture_output=True, text=True, check=False)
    print(f"{_SEED}={seed} repeats this run.\n{ran.stdout}{ran.stderr}")
    assert ran.returncode == 0, f"{_SEED}={seed} repeats this run"
