"""`saas policies` and `saas users reset-factors`."""

from collections.abc import Callable
from typing import Any

from saas.services import Services
from tests.unit.saas.cli.test_tenants import Saas, document
from tests.unit.saas.cli.test_users import saas, slug, users

__all__ = ["saas", "slug", "users"]


def test_a_policy_is_shown_and_changed(saas: Saas, slug: str, users: Callable[..., Any]) -> None:
    def policies(command: str, *arguments: str) -> Any:
        return document(saas("policies", command, "--tenant", slug, "--json", *arguments))

    plain: dict[str, Any] = {
        "tenant": slug,
        "second_factor": "none",
        "session_idle": None,
        "session_lifetime": None,
        "password_min": 10,
        "allowed_email_domains": [],
    }
    assert policies("show") == plain
    changed = policies("set", "--second-factor", "admins", "--session-idle", "900", "--domain", "@People.Example")
    assert changed == plain | {
        "second_factor": "admins",
        "session_idle": 900,
        "allowed_email_domains": ["people.example"],
    }
    assert policies("set", "--password-min", "14", "--session-idle", "default") == changed | {
        "password_min": 14,
        "session_idle": None,
    }
    text = saas("policies", "show", "--tenant", slug).stdout
    assert "admins" in text
    assert "default" in text
    refused = saas("users", "create", "--tenant", slug, "--email", "bob@elsewhere.example")
    assert refused.exit_code == 1
    assert "Only addresses at people.example" in refused.stderr
    for wrong, said in (
        (["--second-factor", "some"], "none, admins, everyone"),
        (["--password-min", "5"], "from 10 to 64"),
        (["--session-idle", "10000000"], "from 300 to 28800"),
        (["--session-idle", "long"], "number of seconds"),
        (["--domain", "nothing"], "like example.com"),
        ([], "Nothing to set"),
    ):
        answer = saas("policies", "set", "--tenant", slug, *wrong)
        assert (answer.exit_code > 0, said in answer.stderr) == (True, True), answer.stderr
    assert policies("set", "--domain", "")["allowed_email_domains"] == []
    users("create", "--email", "bob@elsewhere.example")


def test_factors_are_reset_by_an_operator(saas: Saas, slug: str, users: Callable[..., Any], services: Services) -> None:
    ann = ("--email", "ann@people.example")
    users("create", *ann)
    assert users("reset-factors", *ann) == {"tenant": slug, "email": "ann@people.example", "removed": 0}
    text = saas("users", "reset-factors", "--tenant", slug, *ann)
    assert "no second factor any more" in text.stderr
