"""`saas tenants export`, `import` and `move`, over two databases."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from saas.cli import app
from tenants.transfer import moving, passphrase

Saas = Callable[..., Result]
_OWNER = ("--owner-email", "ann@example.com", "--json")


@pytest.fixture(scope="module")
async def saas(environment: dict[str, str]) -> AsyncIterator[Saas]:
    """`saas("tenants", "list")`: run a command on two migrated databases, `default` and `eu`."""
    admin = await asyncpg.connect(environment["SAAS_DATABASE_URL"])
    names = [f"d{uuid4().hex}" for _ in range(2)]
    for name in names:
        await admin.execute(f'CREATE DATABASE "{name}"')
    home, away = (environment["SAAS_DATABASE_URL"].replace("/postgres?", f"/{name}?") for name in names)

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, list(map(str, arguments)))

    with pytest.MonkeyPatch.context() as patch:
        for name, value in (environment | {"SAAS_DATABASE_URL": home, "SAAS_DATABASES__EU": away}).items():
            patch.setenv(name, value)
        patch.setattr(moving, "SETTLE", 0.0)  # no server has to hear of it
        patch.setattr(passphrase, "_COST", 2)
        yield run
    for name in names:
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await admin.close()


def document(result: Result) -> Any:
    assert result.exit_code == 0, (result.stderr, result.exception)
    return json.loads(result.stdout)


def refused(result: Result) -> str:
    assert result.exit_code == 1, (result.stderr, result.exception)
    return " ".join(result.stderr.split())


def test_a_tenant_is_exported_imported_and_moved(saas: Saas, tmp_path: Path) -> None:
    document(saas("migrate", "--json"))
    document(saas("tenants", "create", "acme", "--plan", "pro", "--database", "default", *_OWNER))
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("five early swallows\n")
    archive = tmp_path / "acme.tar.zst"
    check_archives(saas, archive, passphrase)
    check_moves(saas)


def check_archives(saas: Saas, archive: Path, passphrase: Path) -> None:
    secret = ("--passphrase-file", passphrase)
    assert "no passphrase" in refused(saas("tenants", "export", "acme", "-o", archive))
    exported = document(saas("tenants", "export", "acme", "-o", archive, *secret, "--json"))
    assert exported["rows"] > 3
    assert exported["secrets"] == 1
    assert [path.name for path in archive.parent.iterdir()].count("acme.tar.zst.part") == 0
    assert archive.stat().st_mode & 0o077 == 0
    assert "there already" in refused(saas("tenants", "export", "acme", "-o", archive, *secret))
    assert "no tenant" in refused(saas("tenants", "export", "nobody", "-o", archive, *secret, "--force"))
    assert "another slug" in refused(saas("tenants", "import", archive, *secret))
    wrong = passphrase.with_name("wrong")
    wrong.write_text("no early swallow")
    taken_in = ("tenants", "import", archive, "--slug", "apex", "--database", "eu")
    assert "not that of this archive" in refused(saas(*taken_in, "--passphrase-file", wrong))
    imported = document(saas(*taken_in, *secret, "--json"))
    assert imported["tenant"]["database"] == "eu"
    assert imported["tenant"]["status"] == "active"
    assert imported["tenant"]["plan"] == "pro"
    assert "issuer" in imported["notes"][0]
    users = document(saas("users", "list", "--tenant", "apex", "--json"))
    assert [user["email"] for user in users] == ["ann@example.com"]
    events = document(saas("audit", "list", "--tenant", "apex", "--json"))
    assert "tenant.imported" in json.dumps(events)


def check_moves(saas: Saas) -> None:
    assert "say where to" in refused(saas("tenants", "move", "acme"))
    assert "is in the database default already" in refused(saas("tenants", "move", "acme", "--to", "default"))
    assert "no database 'nowhere'" in refused(saas("tenants", "move", "acme", "--to", "nowhere"))
    assert "nothing to undo" in refused(saas("tenants", "move", "acme", "--rollback"))
    for source, target in (("default", "eu"), ("eu", "default")):
        moved = document(saas("tenants", "move", "acme", "--to", target, "--keep", "1h", "--json"))
        assert (moved["how"], moved["source"], moved["target"]) == ("moved", source, target)
        assert document(saas("tenants", "show", "acme", "--json"))["database"] == target
    listed = document(saas("tenants", "move", "--status", "--json"))
    assert [(each["source"], each["state"]) for each in listed] == [("default", "done"), ("eu", "done")]
    assert saas("audit", "verify", "--tenant", "acme").exit_code == 0
