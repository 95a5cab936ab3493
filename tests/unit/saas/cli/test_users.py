"""`saas users` and `saas roles` on the test session's servers, beside an application that serves the same tenant."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from saas.cli import app
from saas.services import Services
from tenants.registry import Tenant
from tests.unit.saas.cli.test_tenants import Saas, document


@pytest.fixture
def saas(environment: dict[str, str], services: Services, monkeypatch: pytest.MonkeyPatch) -> Saas:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(app, arguments)


@pytest.fixture
def slug(tenant: Tenant) -> str:
    """Of a tenant whose owner is owner@<slug>.example."""
    return tenant.slug


@pytest.fixture
def users(saas: Saas, slug: str) -> Callable[..., Any]:
    """`users("disable", "--email", ...)`: a command on the tenant, and its JSON."""
    return lambda command, *arguments: document(saas("users", command, "--tenant", slug, "--json", *arguments))


def test_a_user_from_beginning_to_end(users: Callable[..., Any], slug: str) -> None:
    ann = ("--email", "ann@people.example")
    made = users("create", *ann, "--name", "Ann", "--role", "admin", "--role", "member")
    assert (made["name"], made["roles"], made["status"]) == ("Ann", ["admin", "member"], "active")
    assert len(made.pop("password")) > 20
    assert users("set-role", *ann, "--role", "owner")["roles"] == ["owner"]
    assert users("disable", *ann)["status"] == "disabled"
    assert users("enable", *ann)["status"] == "active"
    assert set(users("reset-password", *ann)) == {"tenant", "email", "password"}
    listed = users("list")
    assert [(user["email"], user["roles"]) for user in listed] == [
        ("ann@people.example", ["owner"]),
        (f"owner@{slug}.example", ["owner"]),
    ]
    assert set(listed[0]) == set(made)


def test_an_invitation_is_printed_where_no_mail_goes(users: Callable[..., Any], saas: Saas, slug: str) -> None:
    invited = users("invite", "--email", "bob@people.example")
    assert (invited["status"], invited["roles"], invited["mailed"]) == ("invited", ["member"], False)
    assert invited["link"].startswith(f"http://{slug}.localhost:8000/invitation/")
    text = saas("users", "invite", "--tenant", slug, "--email", "bob@people.example")
    assert "set SAAS_MAIL_URL" in text.stderr
    assert invited["link"] not in text.stdout


def test_an_invitation_is_mailed(
    users: Callable[..., Any], saas: Saas, slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAAS_MAIL_MAILBOX", "true")
    invited = users("invite", "--email", "bob@people.example")
    assert invited["mailed"] is True
    assert "link" not in invited
    text = saas("users", "invite", "--tenant", slug, "--email", "bob@people.example")
    assert text.stderr == "bob@people.example has been sent a link.\n"


def test_text_says_what_happened(saas: Saas, slug: str) -> None:
    def run(command: str, *arguments: str) -> Result:
        return saas("users", command, "--tenant", slug, "--email", "ann@people.example", *arguments)

    created = run("create")
    assert "ann@people.example" in created.stdout
    assert created.stderr == "The password is shown this once.\n"
    assert run("disable").stderr.endswith(
        f"Undo with `saas users enable --tenant {slug} --email ann@people.example`.\n"
    )
    assert run("enable").stderr == "ann@people.example may sign in again.\n"
    assert run("set-role", "--role", "admin").stderr == "ann@people.example is now: admin.\n"
    assert "ann@people.example" in saas("users", "list", "--tenant", slug).stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["disable", "--email", "owner@{slug}.example"], "make somebody else an owner first"),
        (["set-role", "--email", "owner@{slug}.example", "--role", "admin"], "make somebody else an owner first"),
        (["create", "--email", "owner@{slug}.example"], "has an account already"),
        (["invite", "--email", "owner@{slug}.example"], "has an account already"),
        (["create", "--email", "nobody"], "write it like ann@example.com"),
        (["create", "--email", "a@b.example", "--role", "king"], "choose from owner, admin, member"),
        (["create", "--email", "a@b.example", "--name", "a\nb"], "one line"),
        (["enable", "--email", "a@b.example"], "saas users list"),
    ],
)
def test_errors_say_what_to_do(saas: Saas, slug: str, arguments: list[str], says: str) -> None:
    command, *options = (argument.format(slug=slug) for argument in arguments)
    result = saas("users", command, "--tenant", slug, *options)
    assert (result.exit_code, result.stdout) == (1, "")
    assert says in result.stderr


def test_a_disabled_user_gets_no_password(saas: Saas, users: Callable[..., Any], slug: str) -> None:
    users("create", "--email", "ann@people.example")
    users("disable", "--email", "ann@people.example")
    result = saas("users", "reset-password", "--tenant", slug, "--email", "ann@people.example")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "saas users enable" in result.stderr


def test_roles_of_the_tenants_own(saas: Saas, users: Callable[..., Any], slug: str) -> None:
    create = ("roles", "create", "reader", "--tenant", slug, "--scope", "projects:read", "--description", "Reads")
    assert document(saas(*create, "--json")) == {"name": "reader", "description": "Reads", "scopes": ["projects:read"]}
    assert "choose another name" in saas(*create).stderr
    assert re.search("Known: .*projects:read", saas("roles", "create", "x", "--tenant", slug, "--scope", "king").stderr)
    assert [role["name"] for role in document(saas("roles", "list", "--tenant", slug, "--json"))] == ["reader"]
    assert "projects:read" in saas("roles", "list", "--tenant", slug).stdout
    made = users("create", "--email", "ann@people.example", "--role", "reader")
    assert made["roles"] == ["reader"]
    assert "give them another one first" in saas("roles", "delete", "reader", "--tenant", slug).stderr
    users("set-role", "--email", "ann@people.example", "--role", "member")
    assert saas("roles", "delete", "reader", "--tenant", slug).stderr == "The role reader is deleted.\n"
    assert saas("roles", "delete", "reader", "--tenant", slug).exit_code == 1
    assert "saas roles create" in saas("roles", "list", "--tenant", slug).stderr


def test_a_role_is_changed_by_what_it_allows_more_or_less(saas: Saas, slug: str) -> None:
    def change(*arguments: str) -> Result:
        return saas("roles", "change", "helper", "--tenant", slug, *arguments)

    saas("roles", "create", "helper", "--tenant", slug, "--scope", "projects:read users:read", "--description", "Helps")
    changed = document(change("--add", "audit:read projects:write", "--remove", "users:read", "--json"))
    scopes = {"projects:read", "projects:write", "audit:read"}
    assert (set(changed.pop("scopes")), changed) == (
        scopes,
        {"name": "helper", "description": "Helps", "changed": True},
    )
    again = change("--add", "audit:read")
    assert again.stderr == "The role helper was like that already.\n"
    assert document(change("--description", "Helps others", "--json"))["description"] == "Helps others"
    (listed,) = document(saas("roles", "list", "--tenant", slug, "--json"))
    assert (set(listed["scopes"]), listed["description"]) == (scopes, "Helps others")

    events = document(saas("audit", "list", "--tenant", slug, "--action", "role.changed", "--json"))["items"]
    assert [(event["target_name"], set(event["details"]["to"])) for event in events] == [("helper", scopes)] * 2


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("helper", [], "--description"),
        ("helper", ["--add", "users:read", "--remove", "users:read"], "either --add or --remove"),
        ("helper", ["--add", "king"], "Unknown scope: king. Known: "),
        ("helper", ["--remove", "users:read"], "does not allow users:read: it allows projects:read"),
        ("helper", ["--remove", "projects:read"], "would allow nothing any more"),
        ("nobody", ["--add", "users:read"], "There is no role nobody"),
        ("admin", ["--add", "users:read"], "admin is built in"),
    ],
)
def test_a_change_of_a_role_that_cannot_be_is_refused(
    saas: Saas, slug: str, name: str, arguments: list[str], says: str
) -> None:
    saas("roles", "create", "helper", "--tenant", slug, "--scope", "projects:read")
    refused = saas("roles", "change", name, "--tenant", slug, *arguments)
    assert refused.exit_code in {1, 2}
    assert says in " ".join(refused.stderr.replace("│", " ").split())
    (kept,) = document(saas("roles", "list", "--tenant", slug, "--json"))
    assert kept["scopes"] == ["projects:read"]
