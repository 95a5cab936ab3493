"""`saas clients` on the test session's servers."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from joserfc.jwk import ECKey
from typer.testing import CliRunner, Result

from saas.cli import app
from saas.cli.times import parse_duration
from tenants.registry import Tenant

Saas = Callable[..., Result]
SCOPES = "projects:read projects:write"


@pytest.fixture
def saas(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Saas:
    """`saas("create", ...)`: run `saas clients create ...`."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["clients", *arguments])

    return run


def document(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def create(saas: Saas, tenant: Tenant, *options: str) -> Any:
    return document(saas("create", "--tenant", tenant.slug, "--name", "Robot", "--json", "--scope", SCOPES, *options))


def listed(saas: Saas, tenant: Tenant, client_id: str) -> Any:
    clients = document(saas("list", "--tenant", tenant.slug, "--json"))
    return next(client for client in clients if client["client_id"] == client_id)


def test_a_client_from_beginning_to_end(saas: Saas, tenant: Tenant) -> None:
    made = create(saas, tenant, "--grant", "client_credentials", "--default-scope", "projects:read")
    assert set(made) == {"tenant", "issuer", "client_id", "client_secret"}
    client_id = made["client_id"]
    client = listed(saas, tenant, client_id)
    assert client["scopes"] == SCOPES.split()
    assert client["default_scopes"] == ["projects:read"]
    rotated = document(saas("rotate-secret", client_id, "--tenant", tenant.slug, "--overlap", "1h", "--json"))
    assert rotated["client_secret"] != made["client_secret"]
    assert listed(saas, tenant, client_id)["secrets"] == 2
    for changed in (True, False):
        assert document(saas("revoke", client_id, "--tenant", tenant.slug, "--json"))["changed"] is changed
    assert listed(saas, tenant, client_id)["revoked_at"]


def test_a_secret_is_printed_with_a_note_that_it_is_for_once(saas: Saas, tenant: Tenant) -> None:
    result = saas("create", "--tenant", tenant.slug, "--name", "Robot", "--scope", "projects:read")
    assert "client_secret" in result.stdout
    assert "shown this once" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["create", "--name", "R", "--scope", "nope"], 1, "Unknown scope: nope. Known: openid"),
        (["create", "--name", "R", "--scope", "projects:read", "--grant", "nope"], 1, "Unknown grant: nope"),
        (["rotate-secret", "app_0"], 1, "saas clients list"),
        (["rotate-secret", "app_0", "--overlap", "soon"], 2, "is not a duration"),
        (["rotate-secret", "app_0", "--overlap", "91d"], 1, "between 0 and 90 days"),
        (["revoke", "app_0"], 1, "saas clients list"),
    ],
)
def test_errors_say_what_to_do(saas: Saas, shared_tenant: Tenant, arguments: list[str], code: int, says: str) -> None:
    result = saas(*arguments, "--tenant", shared_tenant.slug)
    assert result.exit_code == code
    assert says in " ".join(result.stderr.replace("│", "").split())
    assert not result.stdout


def test_an_unknown_tenant(saas: Saas, tenant: Tenant) -> None:
    result = saas("list", "--tenant", "nobody")
    assert result.exit_code == 1
    assert "saas tenants list" in result.stderr


@pytest.mark.parametrize(
    ("text", "hours"),
    [("0", 0), ("24h", 24), ("1d12h", 36), ("90m", 1.5), ("3600s", 1), ("2d1h30m", 49.5)],
)
def test_durations(text: str, hours: float) -> None:
    assert parse_duration(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "24", "h", "1x", "-1h", "1h1d", "1 h", "9999999d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_duration(text)


def test_a_device_needs_no_address(saas: Saas, tenant: Tenant) -> None:
    for name in ("device_code", "urn:ietf:params:oauth:grant-type:device_code"):
        made = create(saas, tenant, "--grant", name, "--public")
        assert "client_secret" not in made
        grants = listed(saas, tenant, made["client_id"])["grant_types"]
        assert grants == ["urn:ietf:params:oauth:grant-type:device_code"]


def test_a_client_with_keys_has_no_secret(saas: Saas, tenant: Tenant, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}))
    by_key = ("--auth-method", "private_key_jwt", "--jwks", str(keys))
    made = create(saas, tenant, *by_key, "--resource", "https://files.example")
    assert set(made) == {"tenant", "issuer", "client_id"}
    assert listed(saas, tenant, made["client_id"])["auth_method"] == "private_key_jwt"
    for wrong in (("--auth-method", "private_key_jwt"), ("--public", *by_key), ("--jwks", str(tmp_path / "none"))):
        assert saas("create", "--tenant", tenant.slug, "--name", "Robot", "--scope", SCOPES, *wrong).exit_code != 0


def test_an_app_of_people(saas: Saas, tenant: Tenant) -> None:
    uris = ["https://notes.example/cb", "https://notes.example/other"]
    options = [part for uri in uris for part in ("--redirect-uri", uri)]
    grants = ["--grant", "authorization_code", "--grant", "refresh_token"]
    out = "https://notes.example/bye"
    made = create(saas, tenant, *grants, *options, "--first-party", "--post-logout-redirect-uri", out)
    client = listed(saas, tenant, made["client_id"])
    assert client["grant_types"] == ["authorization_code", "refresh_token"]
    assert (client["redirect_uris"], client["post_logout_redirect_uris"]) == (uris, [out])
    assert (client["first_party"], client["auth_method"], client["secrets"]) == (True, "client_secret_basic", 1)


def test_a_public_client_has_no_secret(saas: Saas, tenant: Tenant) -> None:
    options = ["--grant", "authorization_code", "--redirect-uri", "com.example.app:/cb", "--public"]
    made = create(saas, tenant, *options)
    assert set(made) == {"tenant", "issuer", "client_id"}
    client = listed(saas, tenant, made["client_id"])
    assert (client["auth_method"], client["secrets"], client["first_party"]) == ("none", 0, False)
    refused = saas("rotate-secret", made["client_id"], "--tenant", tenant.slug)
    assert refused.exit_code == 1
    assert "has no secret" in refused.stderr


def test_a_wrong_address_is_refused_with_the_reason(saas: Saas, tenant: Tenant) -> None:
    options = ["--grant", "authorization_code", "--redirect-uri", "http://notes.example/cb"]
    result = saas("create", "--tenant", tenant.slug, "--name", "Notes", "--scope", "openid", *options)
    assert result.exit_code == 1
    assert "use https" in " ".join(result.stderr.replace("│", "").split())


def test_a_client_is_changed_loses_its_tokens_and_is_deleted(saas: Saas, tenant: Tenant, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    for number in range(2):
        keys.write_text(json.dumps({"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}))
        if number == 0:
            made = create(saas, tenant, "--auth-method", "private_key_jwt", "--jwks", str(keys))
    one = (made["client_id"], "--tenant", tenant.slug)
    changed = saas("update", *one, "--name", "Android", "--scope", "projects:read", "--jwks", str(keys), "--json")
    assert document(changed)["changed"] is True
    assert "was like that already" in saas("update", *one, "--name", "Android").stderr
    (listed,) = document(saas("list", "--tenant", tenant.slug, "--json"))
    assert (listed["name"], listed["kind"], listed["scopes"]) == ("Android", "machine", ["projects:read"])
    assert "say what to change" in saas("update", *one).stderr
    assert "cannot be a redirect URI" in saas("update", *one, "--redirect-uri", "http://a.example").stderr
    assert document(saas("revoke-tokens", *one, "--json"))["refresh_tokens"] == 0
    assert saas("delete", *one).exit_code == 1
    assert document(saas("delete", *one, "--yes", "--json"))["deleted"] is True
    assert "There is no client" in saas("delete", *one, "--yes").stderr
