"""What `saas serve` refuses to start without."""

import pytest
from typer.testing import CliRunner

from saas.cli import app

READY = {
    "SAAS_DATABASE_URL": "postgresql://db/x",
    "SAAS_REDIS_URL": "redis://cache",
    "SAAS_SECRETS_MASTER_KEY": "X7yqD1lQ0mVrJt3c8bZs5n2gK4wUoEaHiPfGdLxTvRY=",
    "SAAS_PUBLIC_URL": "https://example.com",
}


def _refusal(environment: dict[str, str]) -> str:
    nothing = dict.fromkeys(READY)
    result = CliRunner().invoke(app, ["serve", "--port", "0"], env={**nothing, **environment})
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return str(result.stderr)


def test_lists_everything_that_is_missing() -> None:
    line = _refusal({})
    assert all(variable in line for variable in READY)
    assert "`saas dev`" in line


@pytest.mark.parametrize("variable", sorted(READY))
def test_lists_nothing_else(variable: str) -> None:
    line = _refusal({name: value for name, value in READY.items() if name != variable})
    assert [name for name in READY if name in line] == [variable]


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SAAS_SECRETS_MASTER_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "is not random"),
        ("SAAS_SECRETS_MASTER_KEY", "short", "openssl rand -base64 32"),
        ("SAAS_PUBLIC_URL", "http://example.com", "must begin with https://"),
        ("SAAS_PUBLIC_URL", "http://192.0.2.1:8000", "must begin with https://"),
    ],
)
def test_refuses_what_protects_nothing(variable: str, value: str, words: str) -> None:
    line = _refusal({**READY, variable: value})
    assert variable in line
    assert words in line


@pytest.mark.parametrize("url", ["http://localhost:8000", "http://saas.localhost", "http://127.0.0.1:8000"])
def test_lets_loopback_do_without_https(url: str) -> None:
    gone = {**READY, "SAAS_PUBLIC_URL": url, "SAAS_DATABASE_URL": "postgresql://x@127.0.0.1:1/x"}
    assert _refusal(gone).startswith("Error: The database does not answer")


def test_refuses_a_database_that_is_not_migrated(own_environment: dict[str, str]) -> None:
    line = _refusal(own_environment)
    assert line == "Error: Cannot serve: the platform's schema is behind: run `saas migrate`\n"
