"""The engine without a web framework and without storage."""

import base64
import json
import os
import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from saas.authserver.authentication import authenticate, credentials_of
from saas.authserver.client import Client, ClientSecret
from saas.authserver.errors import InvalidClient, InvalidRequest
from saas.authserver.grants import GRANT_TYPES
from saas.authserver.request import FormRequest
from saas.authserver.server import ProtocolResponse, Server
from saas.authserver.tokens import Issuer
from saas.kit.crypto import digest
from saas.kit.signing import Signer

KEY = ECKey.generate_key("P-256")
ISSUER = Issuer("http://acme.localhost:8000", "tenant-1", Signer(KEY.thumbprint(), "ES256", KEY), 300)
GRANT = ("grant_type", "client_credentials")


class Clients:
    """One client; remembers who was asked for."""

    def __init__(self, **changed: Any) -> None:
        made: dict[str, Any] = {
            "client_id": "app:1",
            "grant_types": frozenset({"client_credentials"}),
            "auth_methods": frozenset({"client_secret_basic", "client_secret_post"}),
            "scopes": ("a", "b"),
            "default_scopes": ("a",),
            "secrets": (ClientSecret(digest("s:e+c r%t")),),
        }
        self._client = Client(**(made | changed))

    def client(self, client_id: str) -> Client | None:
        return self._client if client_id == self._client.client_id else None


def basic(text: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


#: Form-urlencoded, then base64: RFC 6749 section 2.3.1.
RIGHT = basic("app%3A1:s%3Ae%2Bc+r%25t")


def ask(*form: tuple[str, str], clients: Clients | None = None, headers: dict[str, str] = RIGHT) -> ProtocolResponse:
    request = FormRequest("POST", "http://acme.localhost:8000/oauth2/token", headers, form)
    return Server(ISSUER, clients or Clients()).token(request)


def test_a_token() -> None:
    answer = ask(GRANT, ("scope", "b"))
    assert answer.status == 200
    assert dict(answer.headers) == {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "Pragma": "no-cache",
    }
    body = json.loads(answer.body)
    token = jwt.decode(body.pop("access_token"), KEY, algorithms=["ES256"])
    assert body == {"token_type": "Bearer", "expires_in": 300, "scope": "b"}
    assert token.header == {"typ": "at+jwt", "alg": "ES256", "kid": KEY.thumbprint()}
    assert token.claims["exp"] - token.claims["iat"] == 300
    assert abs(token.claims["iat"] - time.time()) < 5
    assert token.claims["tenant"] == "tenant-1"


def test_no_client_gets_for_itself_what_is_about_a_person() -> None:
    clients = Clients(scopes=("openid", "a"), default_scopes=("openid", "a"))
    assert json.loads(ask(GRANT, clients=clients).body)["scope"] == "a"


def test_http_is_no_reason_to_refuse_and_no_environment_is_needed() -> None:
    assert "AUTHLIB_INSECURE_TRANSPORT" not in os.environ
    assert ask(GRANT).status == 200


@pytest.mark.parametrize(
    ("clients", "form", "status", "error"),
    [
        (Clients(), [], 400, "invalid_request"),
        (Clients(), [("grant_type", "implicit")], 400, "unsupported_grant_type"),
        (Clients(), [GRANT, ("scope", "c")], 400, "invalid_scope"),
        (Clients(grant_types=frozenset({"other"})), [GRANT], 400, "unauthorized_client"),
        (Clients(auth_methods=frozenset({"client_secret_post"})), [GRANT], 401, "invalid_client"),
        (Clients(secrets=()), [GRANT], 401, "invalid_client"),
        (Clients(scopes=("openid", "a")), [GRANT, ("scope", "openid a")], 400, "invalid_scope"),
        (Clients(scopes=("openid",), default_scopes=("openid",)), [GRANT], 400, "invalid_scope"),
        (Clients(client_id="app_2"), [GRANT], 401, "invalid_client"),
    ],
)
def test_refusals(clients: Clients, form: list[tuple[str, str]], status: int, error: str) -> None:
    answer = ask(*form, clients=clients)
    assert (answer.status, json.loads(answer.body)["error"]) == (status, error)
    assert ("Cache-Control", "no-store") in answer.headers


def test_a_description_never_repeats_the_callers_grant_type() -> None:
    body = json.loads(ask(("grant_type", '<script>"\u00e9')).body)
    assert body["error_description"] == f"Supported: {', '.join(GRANT_TYPES)}"


@pytest.mark.parametrize("credentials", ["app%3A1:wrong", "unknown:wrong", "unknown:"])
def test_the_words_are_the_same_for_an_unknown_client_and_a_wrong_secret(credentials: str) -> None:
    with pytest.raises(InvalidClient, match="Unknown client, or wrong secret"):
        authenticate(Clients(), credentials_of(basic(credentials), {}), ["client_secret_basic"], "token")


@pytest.mark.parametrize("form", [{"client_secret": "b"}, {}])
def test_who_names_no_client_has_no_credentials(form: dict[str, str]) -> None:
    assert credentials_of({}, form) is None


def test_a_client_without_a_secret_is_not_taken_for_a_public_one() -> None:
    credentials = credentials_of({}, {"client_id": "app:1"})
    assert credentials is not None
    assert credentials.method == "none"
    for clients in (Clients(), Clients(client_id="another")):
        with pytest.raises(InvalidClient, match="missing, or the client is unknown"):
            authenticate(clients, credentials, ["client_secret_basic", "none"], "token")
    public = Clients(auth_methods=frozenset({"none"}))
    assert authenticate(public, credentials, ["none"], "token").client_id == "app:1"
    with pytest.raises(InvalidClient):
        authenticate(public, credentials, ["client_secret_basic"], "token")


def test_only_one_way_at_a_time() -> None:
    with pytest.raises(InvalidRequest):
        credentials_of(RIGHT, {"client_id": "app:1", "client_secret": "x"})
    with pytest.raises(InvalidRequest):
        credentials_of(RIGHT, {"client_id": "another"})


def test_credentials_do_not_print_their_secret() -> None:
    assert "s:e" not in repr(credentials_of(RIGHT, {}))


def test_parameters_without_a_value_are_as_if_they_were_not_sent() -> None:
    request = FormRequest("POST", "https://a/t", {}, [("grant_type", "x"), ("scope", "")])
    assert request.form == {"grant_type": "x"}
