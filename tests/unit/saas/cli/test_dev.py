"""What `saas dev` refuses: one line says why, and nothing else is printed. In this process, since to start one takes
longer; what it does beyond is in tests/e2e/test_dev_process.py."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from saas.cli import app as cli

Refused = Callable[..., None]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Refused:
    """`refused(arguments, words)`: the command ends at once, with these words, in an environment without settings."""
    for name in [name for name in os.environ if name.startswith("SAAS_")]:
        monkeypatch.delenv(name)

    def refused(arguments: list[str | Path], *words: str) -> None:
        done = CliRunner().invoke(cli, ["dev", "--port", "0", *map(str, arguments)])
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr.startswith("Error: ")
        assert done.stderr.count("\n") == 1
        for word in words:
            assert word in done.stderr

    return refused


def test_a_folder_that_cannot_be_used(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(["--data", tmp_path / "file"], "is a file", "--data")
    refused(["--data", tmp_path / "file" / "x"], "Cannot write", "--data")


def test_data_of_another_postgresql(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("16\n")
    refused(["--data", tmp_path], "made by PostgreSQL 16", "runs 18", "--data")


def test_a_port_in_use(refused: Refused, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(["--data", tmp_path / "data", "--port", str(port)], f"port {port}", "in use", "--port")
    assert not (tmp_path / "data").exists()


def test_a_wrong_setting(refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAAS_SERVER_WORKERS", "many")
    refused(["--data", tmp_path], "SAAS_SERVER_WORKERS", "integer")
