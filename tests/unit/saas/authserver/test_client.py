from typing import Any

import pytest

from saas.authserver.client import NOBODY, Client, ClientSecret
from saas.authserver.errors import InvalidScope
from saas.kit.crypto import digest


def client(**changed: Any) -> Client:
    made: dict[str, Any] = {
        "client_id": "app_1",
        "grant_types": frozenset({"client_credentials"}),
        "auth_methods": frozenset({"client_secret_basic"}),
        "scopes": ("a", "b", "c"),
        "default_scopes": ("b", "a"),
        "secrets": (ClientSecret(digest("new")), ClientSecret(digest("old"), expires_at=100.0)),
    }
    return Client(**(made | changed))


@pytest.mark.parametrize(
    ("secret", "now", "right"),
    [
        ("new", 0.0, True),
        ("new", 1e12, True),
        ("old", 99.9, True),
        ("old", 100.0, False),
        ("other", 0.0, False),
        ("", 0.0, False),
    ],
)
def test_a_secret_is_right_until_it_ends(secret: str, now: float, right: bool) -> None:
    assert client().has_secret(secret, now) is right


def test_nobody_has_no_usable_rights() -> None:
    assert not NOBODY.check_grant_type("client_credentials")
    assert not NOBODY.check_endpoint_auth_method("client_secret_basic", "token")
    assert not NOBODY.has_secret("anything", 0)
    assert len(NOBODY.secrets) == 1  # as many to compare as a client has


@pytest.mark.parametrize(
    ("asked", "granted"),
    [(None, "b a"), ("", "b a"), ("c", "c"), ("c a", "c a"), ("a c a", "a c")],
)
def test_the_scope_that_is_granted(asked: str | None, granted: str) -> None:
    assert client().get_allowed_scope(asked) == granted


@pytest.mark.parametrize("asked", ["d", "a d", "a  b", " a", "a ", "a\tb", 'a "', "a\\", "\u00e4", "A"])
def test_a_scope_that_is_not_the_clients_is_refused(asked: str) -> None:
    with pytest.raises(InvalidScope):
        client().get_allowed_scope(asked)


def test_without_a_default_a_scope_must_be_named() -> None:
    with pytest.raises(InvalidScope, match="no default"):
        client(default_scopes=()).get_allowed_scope(None)


def test_a_refusal_names_the_scope() -> None:
    with pytest.raises(InvalidScope, match=r"allowed for this client: d e$"):
        client().get_allowed_scope("d a e")


def test_no_digest_in_its_text() -> None:
    assert repr(digest("new")) not in repr(client())
