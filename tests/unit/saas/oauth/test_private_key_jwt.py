"""Clients that prove who they are with a key: at each endpoint, once with each assertion, and at one tenant."""

import asyncio
import json
import secrets
import time
from typing import Any

import httpx
import httpx2  # what Authlib uses
import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc import jwt
from joserfc.jwk import ECKey

from saas.authserver.assertion import TYPE
from saas.oauth.errors import InvalidClientDefinition
from tenants.registry import Tenant
from tests.factories import AppFactory
from tests.unit.saas.oauth.conftest import GRANT, TOKEN, assert_refused
from tests.unit.saas.oauth.flow import CATALOGUE, App, Flow, code_of

REVOKE, INTROSPECT = "/oauth2/revoke", "/oauth2/introspect"
KEY: Any = ECKey.generate_key("P-256", {"kid": "first"})
JWKS = json.dumps({"keys": [KEY.as_dict(private=False)]})
METHOD = "private_key_jwt"


def assertion(client_id: str, audience: str, key: Any = KEY, **changed: object) -> dict[str, str]:
    """The fields of a form."""
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": audience, "exp": now + 60, "jti": secrets.token_hex(8)}
    signed = jwt.encode({"alg": "ES256", "kid": "first"}, {**claims, **changed}, key)
    return {"client_assertion_type": TYPE, "client_assertion": signed}


@pytest.fixture
async def app(flow: Flow, tenant: Tenant) -> App:
    grants = ["authorization_code", "refresh_token", "client_credentials"]
    app = await flow.app(tenant, auth_method=METHOD, jwks=JWKS, grant_types=grants, first_party=True)
    assert app.secret == ""
    return app


async def post(flow: Flow, tenant: Tenant, path: str, *parts: dict[str, str], **given: Any) -> httpx.Response:
    form = {name: value for part in parts for name, value in part.items()}
    return await flow.browser(tenant).http.post(path, data=form, **given)


async def test_a_client_of_authlib_gets_refreshes_and_revokes(flow: Flow, tenant: Tenant, app: App) -> None:
    _, browser = await flow.person(tenant)
    document = (await browser.http.get("/.well-known/openid-configuration")).json()
    for name in ("token", "revocation", "introspection"):
        assert METHOD in document[f"{name}_endpoint_auth_methods_supported"]
        assert "ES256" in document[f"{name}_endpoint_auth_signing_alg_values_supported"]
    for audience in (document["issuer"], None):  # None: the endpoint's own address
        async with AsyncOAuth2Client(
            app.client_id,
            KEY,
            token_endpoint_auth_method=PrivateKeyJWT(audience, alg="ES256"),
            revocation_endpoint_auth_method=PrivateKeyJWT(audience, alg="ES256"),
            redirect_uri=app.redirect_uri,
            transport=httpx2.ASGITransport(browser.http._transport.app),  # type: ignore[attr-defined] # the tenant's app
        ) as client:
            code = await code_of(browser, app)
            tokens = await client.fetch_token(
                document["token_endpoint"], code=code, code_verifier=app.verifier, grant_type="authorization_code"
            )
            newer = await client.refresh_token(document["token_endpoint"], refresh_token=tokens["refresh_token"])
            assert newer["refresh_token"] != tokens["refresh_token"]
            response = await client.revoke_token(document["revocation_endpoint"], newer["refresh_token"])
            assert response.status_code == 200
            refused = await post(
                flow, tenant, TOKEN, app.refresh(newer["refresh_token"]), assertion(app.client_id, tenant.issuer)
            )
            assert_refused(refused, 400, "invalid_grant")


async def test_it_works_at_each_endpoint(flow: Flow, tenant: Tenant, app: App) -> None:
    def proof(path: str = "") -> dict[str, str]:
        return assertion(app.client_id, tenant.issuer + path)

    token = (await post(flow, tenant, TOKEN, GRANT, proof(TOKEN))).json()["access_token"]
    presented = {"token": token}
    assert (await post(flow, tenant, INTROSPECT, presented, proof(INTROSPECT))).json()["active"]
    assert (await post(flow, tenant, REVOKE, presented, proof(TOKEN))).status_code == 200
    assert not (await post(flow, tenant, INTROSPECT, presented, proof())).json()["active"]
    # What was meant for one endpoint is not for another.
    assert_refused(await post(flow, tenant, REVOKE, presented, proof(INTROSPECT)), 401, "invalid_client")


async def test_an_assertion_is_good_for_one_request(flow: Flow, tenant: Tenant, app: App) -> None:
    used = assertion(app.client_id, tenant.issuer)
    answers = await asyncio.gather(*(post(flow, tenant, TOKEN, GRANT, used) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200, *[401] * 19]
    refused = await post(flow, tenant, INTROSPECT, {"token": "x"}, used)
    assert_refused(refused, 401, "invalid_client")
    assert "used before" in refused.json()["error_description"]
    assert (await flow.execute(tenant, "SELECT count(*) FROM oauth_assertions"))[0] == 1


async def test_one_that_was_refused_uses_up_nothing(flow: Flow, tenant: Tenant, app: App) -> None:
    stranger = ECKey.generate_key("P-256", {"kid": "first"})
    jti = secrets.token_hex(8)
    forged = assertion(app.client_id, tenant.issuer, stranger, jti=jti)
    assert_refused(await post(flow, tenant, TOKEN, GRANT, forged), 401, "invalid_client")
    assert (await flow.execute(tenant, "SELECT count(*) FROM oauth_assertions"))[0] == 0
    assert (await post(flow, tenant, TOKEN, GRANT, assertion(app.client_id, tenant.issuer, jti=jti))).is_success


async def test_two_clients_may_use_the_same_jti(flow: Flow, tenant: Tenant, app: App) -> None:
    other = await flow.app(tenant, auth_method=METHOD, jwks=JWKS, grant_types=["authorization_code"])
    for client_id in (app.client_id, other.client_id):
        response = await post(
            flow, tenant, REVOKE, {"token": "x"}, assertion(client_id, tenant.issuer, jti="one and the same")
        )
        assert response.status_code == 200


async def test_at_another_tenant_it_proves_nothing(flow: Flow, tenant: Tenant, other_tenant: Tenant, app: App) -> None:
    """Not even where a client of the same id and key is."""
    there = await flow.app(other_tenant, auth_method=METHOD, jwks=JWKS)
    await flow.execute(
        other_tenant,
        "UPDATE oauth_clients SET client_id = :id WHERE client_id = :old",
        id=app.client_id,
        old=there.client_id,
    )
    for path in (TOKEN, REVOKE, INTROSPECT):
        proof = assertion(app.client_id, tenant.issuer)
        assert_refused(await post(flow, other_tenant, path, GRANT, {"token": "x"}, proof), 401, "invalid_client")
        both = assertion(app.client_id, tenant.issuer, aud=[tenant.issuer, other_tenant.issuer])
        assert_refused(await post(flow, other_tenant, path, GRANT, {"token": "x"}, both), 401, "invalid_client")
    right = assertion(app.client_id, other_tenant.issuer)
    assert (await post(flow, other_tenant, REVOKE, {"token": "x"}, right)).status_code == 200


async def test_no_client_authenticates_by_a_method_that_is_not_its_own(flow: Flow, tenant: Tenant, app: App) -> None:
    with_secret = await flow.app(tenant)
    for form in (
        assertion(with_secret.client_id, tenant.issuer),
        assertion("app_unknown", tenant.issuer),
        {"client_id": app.client_id, "client_secret": "guessed"},
        {"client_id": app.client_id},
    ):
        assert_refused(await post(flow, tenant, TOKEN, GRANT, form), 401, "invalid_client")


async def test_one_method_at_a_time(flow: Flow, tenant: Tenant, app: App) -> None:
    def proof() -> dict[str, str]:
        return assertion(app.client_id, tenant.issuer)

    for extra in (
        {"client_secret": "x"},
        {"client_id": "another"},
        {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
        {"client_assertion": ""},
    ):
        assert_refused(await post(flow, tenant, TOKEN, GRANT, proof(), extra), 400, "invalid_request")
    basic = await post(flow, tenant, TOKEN, GRANT, proof(), auth=(app.client_id, "x"))
    assert_refused(basic, 400, "invalid_request")
    assert (await post(flow, tenant, TOKEN, GRANT, proof(), {"client_id": app.client_id})).status_code == 200


async def test_a_revoked_client_proves_nothing(flow: Flow, tenant: Tenant, app: App) -> None:
    assert (await post(flow, tenant, TOKEN, GRANT, assertion(app.client_id, tenant.issuer))).is_success
    async with flow.people.services.database.tenant_session(tenant) as session:
        await flow.clients.revoke(session, tenant, app.client_id)
    refused = await post(flow, tenant, TOKEN, GRANT, assertion(app.client_id, tenant.issuer))
    assert_refused(refused, 401, "invalid_client")


@pytest.mark.parametrize(
    ("method", "jwks", "words"),
    [
        (METHOD, None, "need each other"),
        ("client_secret_basic", JWKS, "need each other"),
        ("none", JWKS, "need each other"),
        (METHOD, json.dumps({"keys": [KEY.as_dict(private=True)]}), "public keys alone"),
    ],
)
def test_the_method_and_the_keys_need_each_other(method: str, jwks: str | None, words: str) -> None:
    definition = AppFactory(auth_method=method, jwks=jwks)
    with pytest.raises(InvalidClientDefinition, match=words):
        definition.checked(CATALOGUE)
