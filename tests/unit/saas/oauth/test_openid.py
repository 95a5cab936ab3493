"""ID tokens and the UserInfo endpoint, as a client library that has read the discovery document sees them."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import text

from saas.access.middleware import BearerMiddleware
from saas.access.verifier import TokenVerifier
from saas.keys.service import KeyService
from saas.web.problems import Problem, render_problem
from tenants.changes import Changes
from tenants.registry import Tenant
from tests.unit.saas.oauth.conftest import at
from tests.unit.saas.oauth.flow import TOKEN, App, Flow, tokens_of

DISCOVERY = "/.well-known/openid-configuration"
OPENID = "openid profile email offline_access projects:read"


class Relying:
    """A client that knows an issuer and nothing else."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def read(self, name: str) -> Any:
        return (await self.http.get((await self.http.get(DISCOVERY)).json()[name])).json()

    async def claims(self, app: App, tokens: dict[str, Any], nonce: str | None = None) -> CodeIDToken:
        """Validated as Authlib's clients do it."""
        document = (await self.http.get(DISCOVERY)).json()
        keys = KeySet.import_key_set(await self.read("jwks_uri"))
        token = jwt.decode(tokens["id_token"], keys, algorithms=document["id_token_signing_alg_values_supported"])
        assert token.header["typ"] == "JWT"
        options = {"iss": {"essential": True, "value": document["issuer"]}}
        given = {"client_id": app.client_id, "access_token": tokens["access_token"], "nonce": nonce}
        claims = CodeIDToken(token.claims, token.header, options, given)
        claims.validate()
        assert claims.keys() <= set(document["claims_supported"])
        return claims


@pytest.fixture
async def relying(flow: Flow, tenant: Tenant) -> AsyncIterator[Relying]:
    services = flow.people.services

    async def live(tenant: Tenant, client_id: str, _: int) -> bool:
        return await flow.clients.find(tenant, client_id) is not None

    async def problem(_: Any, error: Exception) -> Any:
        assert isinstance(error, Problem)
        return render_problem(error)

    flow.people.app.add_exception_handler(Problem, problem)
    guarded = BearerMiddleware(flow.people.app, TokenVerifier(services.keys, live, services.changes))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(at(guarded, tenant)), base_url=tenant.issuer) as http:
        yield Relying(http)


async def test_the_id_token_says_who_signed_in_when_and_how(flow: Flow, tenant: Tenant, relying: Relying) -> None:
    user, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    tokens = await tokens_of(browser, app, scope=OPENID, nonce="n-0S6_WzA2Mj")
    claims = await relying.claims(app, tokens, nonce="n-0S6_WzA2Mj")
    session = await flow.execute(tenant, "SELECT id, authenticated_at FROM sessions WHERE user_id = :u", u=user.id)
    assert claims["sub"] == str(user.id)
    assert claims["aud"] == app.client_id
    assert claims["sid"] == str(session.id)
    assert claims["auth_time"] == int(session.authenticated_at.timestamp())
    assert claims["amr"] == ["pwd"]
    assert claims["exp"] - claims["iat"] == flow.settings.tokens.id_ttl
    assert (claims["email"], claims["email_verified"]) == (user.email, False)
    assert claims["name"] == user.name
    assert "updated_at" in claims
    assert "azp" not in claims


async def test_scopes_decide_on_claims_and_without_openid_there_is_no_id_token(
    flow: Flow, tenant: Tenant, relying: Relying
) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    bare = await relying.claims(app, await tokens_of(browser, app, scope="openid"))
    assert bare.keys().isdisjoint({"name", "updated_at", "email", "email_verified", "nonce"})
    assert "id_token" not in await tokens_of(browser, app, scope="projects:read email")


async def test_a_refreshed_id_token_is_of_the_same_sign_in_and_has_no_nonce(
    flow: Flow, tenant: Tenant, relying: Relying
) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    tokens = await tokens_of(browser, app, scope=OPENID, nonce="once")
    first = await relying.claims(app, tokens, nonce="once")
    answer = await browser.http.post(TOKEN, data=app.refresh(tokens["refresh_token"]))
    again = await relying.claims(app, answer.json())
    assert "nonce" not in again
    same = ("iss", "sub", "aud", "auth_time", "amr", "sid", "email")
    assert {name: again[name] for name in same} == {name: first[name] for name in same}
    assert again["at_hash"] != first["at_hash"]
    narrowed = app.refresh(answer.json()["refresh_token"], scope="projects:read")
    assert "id_token" not in (await browser.http.post(TOKEN, data=narrowed)).json()


async def test_a_client_that_asks_for_rs256_gets_it_from_a_key_made_then(
    flow: Flow, tenant: Tenant, relying: Relying
) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant, id_token_signed_response_alg="RS256")
    assert [key["alg"] for key in (await relying.read("jwks_uri"))["keys"]] == ["ES256"]
    tokens = await tokens_of(browser, app, scope=OPENID)
    assert (await relying.claims(app, tokens)).header["alg"] == "RS256"
    assert sorted(key["alg"] for key in (await relying.read("jwks_uri"))["keys"]) == ["ES256", "RS256"]
    assert _header(tokens["access_token"])["alg"] == "ES256"


async def test_processes_that_need_the_first_rs256_key_at_once_make_one(flow: Flow, tenant: Tenant) -> None:
    services = flow.people.services
    instances = [KeyService(services.database, services.sealer, Changes()) for _ in range(3)]
    await asyncio.gather(*(keys.ring_with(tenant, "RS256") for keys in instances))
    assert (await flow.execute(tenant, "SELECT count(*) FROM signing_keys WHERE algorithm = 'RS256'")).count == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_userinfo_tells_what_the_scopes_of_the_token_give(
    flow: Flow, tenant: Tenant, relying: Relying, method: str
) -> None:
    user, browser = await flow.person(tenant)
    await flow.execute(
        tenant, "UPDATE users SET name = 'Ann Ölund', email_verified_at = now() WHERE id = :u", u=user.id
    )
    app = await flow.app(tenant)
    address = (await relying.http.get(DISCOVERY)).json()["userinfo_endpoint"]

    async def told(scope: str) -> Any:
        token = (await tokens_of(browser, app, scope=scope))["access_token"]
        answer = await relying.http.request(method, address, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return answer.json()

    assert await told("openid") == {"sub": str(user.id)}
    email = {"sub": str(user.id), "email": user.email, "email_verified": True}
    assert await told("openid email") == email
    full = await told(OPENID)
    assert full.pop("updated_at") > 0
    assert full == {**email, "name": "Ann Ölund"}


async def test_userinfo_refuses_tokens_that_are_not_for_it(
    flow: Flow, tenant: Tenant, other_tenant: Tenant, relying: Relying
) -> None:
    user, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    tokens = await tokens_of(browser, app, scope=OPENID)

    async def status(token: str | None) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = await relying.http.get("/oauth2/userinfo", headers=headers)
        return answer.status_code, answer.headers["www-authenticate"]

    assert (await status(None)) == (401, "Bearer")
    assert (await status(tokens["id_token"]))[0] == 401
    without = (await tokens_of(browser, app, scope="projects:read"))["access_token"]
    assert (await status(without))[0] == 403
    _, stranger = await flow.person(other_tenant)
    foreign = await tokens_of(stranger, await flow.app(other_tenant), scope=OPENID)
    assert (await status(foreign["access_token"]))[0] == 401
    await flow.execute(tenant, "UPDATE users SET disabled_at = now() WHERE id = :u", u=user.id)
    code, challenge = await status(tokens["access_token"])
    assert code == 401
    assert "invalid_token" in challenge


async def test_the_two_metadata_documents_are_one(relying: Relying) -> None:
    discovery = await relying.http.get(DISCOVERY)
    assert discovery.json() == (await relying.http.get("/.well-known/oauth-authorization-server")).json()
    assert discovery.headers["access-control-allow-origin"] == "*"


async def test_who_has_used_a_mailed_link_has_a_verified_address(flow: Flow, tenant: Tenant) -> None:
    people = flow.people
    path = await people.invite(tenant, "new@people.example")
    async with people.services.database.tenant_session(tenant) as session:
        await people.links.use(session, path.rpartition("/")[2], "invitation")
        query = text("SELECT email_verified_at FROM users WHERE email_key = 'new@people.example'")
        assert await session.scalar(query) is not None


def _header(token: str) -> Any:
    part = token.split(".", maxsplit=1)[0]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
