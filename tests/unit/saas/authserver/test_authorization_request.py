"""What is read from an authorization request, and what must happen before its answer. Without storage."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from saas.authserver.authorization_request import AuthorizationRequest
from saas.authserver.client import Client
from saas.authserver.destination import Destination, Parameters, Undeliverable
from saas.authserver.errors import ConsentRequired, InvalidRequest, LoginRequired, OAuth2Error
from saas.authserver.interaction import must_consent, must_sign_in

ISSUER = "https://acme.example"
CALLBACK = "https://app.example/cb?keep=1"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MADE: dict[str, Any] = {
    "client_id": "app",
    "grant_types": frozenset({"authorization_code"}),
    "auth_methods": frozenset({"client_secret_basic"}),
    "scopes": ("openid", "a", "b"),
    "default_scopes": ("a",),
    "redirect_uris": (CALLBACK,),
}
CLIENT = Client(**MADE)
GOOD = {
    "response_type": "code",
    "client_id": "app",
    "redirect_uri": CALLBACK,
    "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "code_challenge_method": "S256",
}


class Clients:
    def client(self, client_id: str) -> Client | None:
        return CLIENT if client_id == "app" else None


def asked(client: Client = CLIENT, /, **changed: str) -> AuthorizationRequest:
    return AuthorizationRequest.of(Parameters(GOOD | changed), client)


@pytest.mark.parametrize(
    ("query", "values", "repeated"),
    [
        ("", {}, set()),
        ("a=1&b=%C3%A9+x", {"a": "1", "b": "\u00e9 x"}, set()),
        ("a=&b", {}, set()),
        ("a=1&a=2", {"a": "2"}, {"a"}),
        ("a=1&a=&b=1", {"b": "1"}, {"a"}),
    ],
)
def test_parameters(query: str, values: dict[str, str], repeated: set[str]) -> None:
    assert Parameters.of(query) == Parameters(values, frozenset(repeated))


@pytest.mark.parametrize("query", ["a=" + "x" * 6000, "a=%ff", "&".join(f"p{n}=1" for n in range(41))])
def test_what_cannot_be_read_has_no_answer(query: str) -> None:
    with pytest.raises(Undeliverable):
        Parameters.of(query)


@pytest.mark.parametrize(
    ("changed", "repeated"),
    [
        ({"client_id": ""}, set()),
        ({"client_id": "other"}, set()),
        ({}, {"client_id"}),
        ({"redirect_uri": ""}, set()),
        ({"redirect_uri": CALLBACK + "2"}, set()),
        ({}, {"redirect_uri"}),
    ],
)
def test_without_a_known_client_and_its_address_there_is_no_answer(changed: dict[str, str], repeated: set[str]) -> None:
    with pytest.raises(Undeliverable):
        Destination.of(Parameters(GOOD | changed, frozenset(repeated)), Clients(), ISSUER)


def test_an_answer_keeps_the_registered_query_and_names_its_issuer() -> None:
    destination = Destination.of(Parameters(GOOD | {"state": 'a b&c=d"<\u00e9'}), Clients(), ISSUER)
    url = destination.url([("code", "x+y/z")])
    assert url.startswith(CALLBACK + "&")
    assert dict(parse_qsl(urlsplit(url).query)) == {
        "keep": "1",
        "code": "x+y/z",
        "state": 'a b&c=d"<\u00e9',
        "iss": ISSUER,
    }


def test_an_error_is_an_answer_too() -> None:
    destination = Destination.of(Parameters(GOOD), Clients(), ISSUER)
    answer = dict(parse_qsl(urlsplit(destination.error_url(InvalidRequest("No"))).query))
    assert answer == {"keep": "1", "error": "invalid_request", "error_description": "No", "iss": ISSUER}


def test_a_request() -> None:
    request = asked(scope="b openid b", prompt="login consent", max_age="60", nonce="n")
    assert request.scopes == ("b", "openid")
    assert (set(request.prompt), request.max_age, request.nonce) == ({"login", "consent"}, 60, "n")
    assert asked().scopes == ("a",)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": ""}, "unsupported_response_type"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": 'a"\u00e9'}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "c"}, "invalid_scope"),
        ({"scope": 'a "'}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "create"}, "invalid_request"),
        ({"prompt": "login  consent"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "1.5"}, "invalid_request"),
        ({"max_age": "9" * 10}, "invalid_request"),
        ({"max_age": "\u0661"}, "invalid_request"),
        ({"nonce": "x" * 2049}, "invalid_request"),
        ({"nonce": "a\nb"}, "invalid_request"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"request_uri": "https://app.example/r"}, "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
    ],
)
def test_refusals(changed: dict[str, str], error: str) -> None:
    with pytest.raises(OAuth2Error) as caught:
        asked(**changed)
    assert dict(caught.value.get_body())["error"] == error
    assert all(" " <= char <= "~" and char not in '"\\' for _, text in caught.value.get_body() for char in text)


def test_a_missing_response_type_is_an_invalid_request() -> None:
    with pytest.raises(InvalidRequest):
        AuthorizationRequest.of(Parameters({k: v for k, v in GOOD.items() if k != "response_type"}), CLIENT)


def test_a_client_without_the_grant_is_refused() -> None:
    other = Client(**{**MADE, "grant_types": frozenset({"client_credentials"})})
    with pytest.raises(OAuth2Error) as caught:
        asked(other)
    assert caught.value.error == "unauthorized_client"


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("changed", "age", "since_ago", "must"),
    [
        ({}, None, None, True),
        ({}, timedelta(days=9), None, False),
        ({"prompt": "consent"}, MINUTE, None, False),
        ({"max_age": "60"}, MINUTE, None, False),
        ({"max_age": "59"}, MINUTE, None, True),
        ({"max_age": "0"}, timedelta(0), None, True),
        ({"max_age": "59"}, MINUTE, MINUTE, False),
        ({"max_age": "59"}, MINUTE, timedelta(seconds=59), True),
        ({"prompt": "login"}, timedelta(0), None, True),
        ({"prompt": "select_account"}, timedelta(0), None, True),
        ({"prompt": "login", "max_age": "600"}, MINUTE, None, True),
        ({"prompt": "login"}, MINUTE, MINUTE, False),
        ({"prompt": "login"}, MINUTE, timedelta(seconds=59), True),
        ({"prompt": "login"}, None, MINUTE, True),
    ],
)
def test_who_must_sign_in(
    changed: dict[str, str], age: timedelta | None, since_ago: timedelta | None, must: bool
) -> None:
    authenticated_at = None if age is None else NOW - age
    since = None if since_ago is None else NOW - since_ago
    assert must_sign_in(asked(**changed), authenticated_at, since, NOW) is must


@pytest.mark.parametrize(("changed", "age"), [({}, None), ({"max_age": "59"}, MINUTE), ({"max_age": "0"}, MINUTE)])
def test_no_page_to_sign_in_where_none_may_be_shown(changed: dict[str, str], age: timedelta | None) -> None:
    with pytest.raises(LoginRequired):
        must_sign_in(asked(prompt="none", **changed), None if age is None else NOW - age, None, NOW)


def test_who_must_consent() -> None:
    first_party = Client(**{**MADE, "first_party": True})
    assert must_consent(asked(), CLIENT, ["a"], [])
    assert must_consent(asked(), CLIENT, ["a", "b"], ["a"])
    assert not must_consent(asked(), CLIENT, ["a"], ["a", "b"])
    assert not must_consent(asked(), first_party, ["a"], [])
    assert must_consent(asked(prompt="consent"), first_party, ["a"], ["a"])
    assert not must_consent(asked(prompt="none"), CLIENT, ["a"], ["a"])
    with pytest.raises(ConsentRequired):
        must_consent(asked(prompt="none"), CLIENT, ["a", "b"], ["a"])
