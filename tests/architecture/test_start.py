"""What a process imports as it starts: of what is slow to import, only what it needs."""

import json
import subprocess
import sys
from typing import Final

import pytest

#: In one process, since each takes a second: what is loaded after `saas --help`, then for a command, then for a server.
_STAGES: Final = """
import contextlib, io, json, sys

def loaded():
    return sorted({name.partition(".")[0] for name in sys.modules})

sys.argv = ["saas", "--help"]
import saas.cli
with contextlib.redirect_stdout(io.StringIO()) as help, contextlib.suppress(SystemExit):
    saas.cli.main()
stages = {"help": loaded()}
import saas.services
stages["command"] = loaded()
import saas.main
stages["server"] = loaded()
print(json.dumps([help.getvalue(), stages]))
"""
_EVER: Final = {"alembic", "dns", "webauthn"}
_COMMAND: Final = _EVER | {"fastapi", "jinja2", "uvicorn"}
_HELP: Final = _COMMAND | {
    "asyncpg",
    "authlib",
    "cryptography",
    "joserfc",
    "pydantic",
    "redis",
    "sqlalchemy",
    "structlog",
}


@pytest.fixture(scope="module")
def stages() -> dict[str, set[str]]:
    """The packages that are loaded, by the stage of a start."""
    printed = subprocess.run([sys.executable, "-c", _STAGES], check=True, capture_output=True, text=True).stdout
    text, found = json.loads(printed)
    assert "tenants" in text
    return {stage: set(names) for stage, names in found.items()}


def test_help_is_shown_without_any_of_the_application(stages: dict[str, set[str]]) -> None:
    assert stages["help"] & _HELP == set()


def test_a_command_loads_the_services_and_nothing_of_the_server(stages: dict[str, set[str]]) -> None:
    assert stages["command"] & _COMMAND == set()
    assert "sqlalchemy" in stages["command"]


def test_a_server_starts_without_what_it_seldom_needs(stages: dict[str, set[str]]) -> None:
    assert stages["server"] & _EVER == set()
    assert "fastapi" in stages["server"]
