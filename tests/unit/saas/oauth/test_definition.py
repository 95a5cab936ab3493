"""What may be said of a new client."""

from typing import Any

import pytest

from saas.oauth.definition import ClientDefinition
from saas.oauth.errors import InvalidClientDefinition
from tests.factories import CALLBACK
from tests.unit.saas.oauth.flow import CATALOGUE

WEB: dict[str, Any] = {
    "name": "Notes",
    "grant_types": ["authorization_code", "refresh_token"],
    "scopes": ["openid", "projects:read"],
    "redirect_uris": [CALLBACK],
}


def checked(**changed: Any) -> ClientDefinition:
    return ClientDefinition(**(WEB | changed)).checked(CATALOGUE)


def test_what_is_said_twice_counts_once() -> None:
    twice = {name: [*WEB[name], *WEB[name]] for name in ("grant_types", "scopes", "redirect_uris")}
    assert checked(**twice) == checked()


def test_without_defaults_all_scopes_are_the_default() -> None:
    assert checked().default_scopes == ["openid", "projects:read"]
    assert checked(default_scopes=[]).default_scopes == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"redirect_uris": []}, "name at least one"),
        ({"redirect_uris": ["http://notes.example/cb"]}, "use https"),
        ({"redirect_uris": [f"{CALLBACK}#x"]}, "fragment"),
        ({"redirect_uris": ["myapp:/cb"]}, "reverse of a domain"),
        ({"redirect_uris": [f"{CALLBACK}/{n}" for n in range(21)]}, "at most 20"),
        ({"post_logout_redirect_uris": ["http://notes.example/"]}, "use https"),
        ({"grant_types": ["client_credentials"]}, "Only the grant authorization_code"),
        ({"grant_types": ["client_credentials", "refresh_token"], "redirect_uris": []}, "A refresh token comes from"),
        ({"grant_types": ["implicit"]}, "Unknown grant"),
        ({"grant_types": ["authorization_code", "client_credentials"], "auth_method": "none"}, "public client"),
        ({"auth_method": "tls_client_auth"}, "Unknown authentication method"),
        ({"id_token_signed_response_alg": "none"}, "Unknown algorithm"),
        ({"id_token_signed_response_alg": "HS256"}, "Unknown algorithm"),
        ({"scopes": ["openid", "nonsense"]}, "Unknown scope: nonsense"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_does(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidClientDefinition) as caught:
        checked(**changed)
    assert says in caught.value.detail
