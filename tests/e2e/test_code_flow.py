"""Client libraries of others against a real server process: they are given the issuer, and discover the rest."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet
from oauthlib.oauth2 import AccessDeniedError, InvalidGrantError
from requests_oauthlib import OAuth2Session

from saas.identity.passwords import hash_password
from saas.oauth.clients import NewClient
from saas.oauth.definition import ClientDefinition
from saas.services import Services
from tenants.registry import Tenant
from tests.e2e.visitor import Adapter, Visitor, Wire2
from tests.processes import Server

CALLBACK = "https://notes.example/callback"
LOOPBACK = "http://127.0.0.1/callback"
EMAIL, PASSWORD = "ann@people.example", "seven green lamps"
SCOPE = "openid profile email offline_access projects:read"

SessionOf = Callable[[str], Awaitable[tuple[NewClient, OAuth2Session]]]
AppOf = Callable[..., Awaitable["Discovered"]]


@pytest.fixture
async def ann(services: Services, server: Server, tenant: Tenant) -> AsyncIterator[Visitor]:
    async with services.database.tenant_session(tenant) as session:
        password_hash = await hash_password(PASSWORD)
        await services.users.create(session, tenant, email=EMAIL, name="Ann Example", password_hash=password_hash)
    visitor = Visitor(server.port, EMAIL, PASSWORD)
    async with visitor.http:
        yield visitor


async def register(services: Services, tenant: Tenant, **changed: Any) -> NewClient:
    definition: dict[str, Any] = {
        "name": "Notes",
        "grant_types": ["authorization_code", "refresh_token"],
        "scopes": SCOPE.split(),
        "redirect_uris": [CALLBACK],
        **changed,
    }
    async with services.database.tenant_session(tenant) as session:
        return await services.clients.create(session, tenant, ClientDefinition(**definition))


class Discovered:
    """Authlib's client, and what the issuer says of itself."""

    def __init__(self, server: Server, client: NewClient, document: dict[str, Any], **options: Any) -> None:
        self.document = document
        self.client_id = client.client_id
        self.library = AsyncOAuth2Client(
            client.client_id,
            client.secret or None,
            scope=SCOPE,
            code_challenge_method=document["code_challenge_methods_supported"][0],
            transport=Wire2(server.port),
            timeout=30,
            **options,
        )

    async def sign_in(self, visitor: Visitor, nonce: str, **changed: Any) -> dict[str, Any]:
        """Tokens, after the answer's state and issuer were compared (RFC 9207 section 2.4)."""
        verifier = generate_token(64)
        url, state = self.library.create_authorization_url(
            self.document["authorization_endpoint"], code_verifier=verifier, nonce=nonce
        )
        back = await visitor.follow(url, self.library.redirect_uri)
        answer = parse_qs(urlsplit(back).query)
        assert (answer["state"], answer["iss"]) == ([state], [self.document["issuer"]])
        given: dict[str, Any] = {"authorization_response": back, "state": state, "code_verifier": verifier, **changed}
        token: dict[str, Any] = await self.library.fetch_token(self.document["token_endpoint"], **given)
        return token

    async def identity(self, token: dict[str, Any], nonce: str) -> CodeIDToken:
        """Of the ID token, by the keys that are published."""
        keys = KeySet.import_key_set((await self.library.get(self.document["jwks_uri"])).json())
        algorithms = self.document["id_token_signing_alg_values_supported"]
        decoded = jwt.decode(token["id_token"], keys, algorithms=algorithms)
        options = {"iss": {"essential": True, "value": self.document["issuer"]}}
        given = {"client_id": self.client_id, "access_token": token["access_token"], "nonce": nonce}
        claims = CodeIDToken(decoded.claims, decoded.header, options, given)
        claims.validate()
        return claims

    async def is_active(self, token: str) -> bool:
        answer = await self.library.introspect_token(self.document["introspection_endpoint"], token=token)
        active: bool = answer.json()["active"]
        return active


@pytest.fixture
async def document(server: Server, tenant: Tenant) -> dict[str, Any]:
    """What there is to discover."""
    async with httpx2.AsyncClient(transport=Wire2(server.port)) as http:
        found: dict[str, Any] = (await http.get(f"{tenant.issuer}/.well-known/openid-configuration")).json()
    assert found["issuer"] == tenant.issuer
    return found


@pytest.fixture
def app_of(services: Services, server: Server, tenant: Tenant, document: dict[str, Any]) -> AppOf:
    """Of a client that differs from the usual one in what is given."""

    async def make(auth_method: str = "client_secret_basic", **changed: Any) -> Discovered:
        made = await register(services, tenant, auth_method=auth_method, **changed)
        options = {"redirect_uri": CALLBACK, "token_endpoint_auth_method": auth_method}
        return Discovered(server, made, document, **options)

    return make


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_authlib_walks_the_whole_way(app_of: AppOf, document: dict[str, Any], ann: Visitor, method: str) -> None:
    assert method in document["token_endpoint_auth_methods_supported"]
    app = await app_of(auth_method=method)
    async with app.library as library:
        token = await app.sign_in(ann, "n-1")
        assert ann.asked == ["password", "decision"]
        claims = await app.identity(token, "n-1")
        assert (claims["email"], claims["name"], claims["amr"]) == (EMAIL, "Ann Example", ["pwd"])
        info = (await library.get(document["userinfo_endpoint"])).json()
        assert (info["sub"], info["email"]) == (claims["sub"], EMAIL)
        assert (await library.get(f"{document['issuer']}/api/v1/projects")).status_code == 200
        fresh = await library.refresh_token(document["token_endpoint"])
        assert fresh["refresh_token"] != token["refresh_token"]
        assert await app.is_active(fresh["access_token"])
        assert await app.is_active(fresh["refresh_token"])
        revoked = await library.revoke_token(
            document["revocation_endpoint"], fresh["refresh_token"], token_type_hint="refresh_token"
        )
        assert revoked.status_code == 200
        assert not await app.is_active(fresh["refresh_token"])
        assert not await app.is_active(fresh["access_token"])
        assert (await library.get(document["userinfo_endpoint"])).status_code == 401
        with pytest.raises(OAuthError, match="invalid_grant"):
            await library.refresh_token(document["token_endpoint"], fresh["refresh_token"])


async def test_who_has_consented_passes_through_and_a_wrong_verifier_gets_nothing(app_of: AppOf, ann: Visitor) -> None:
    app = await app_of()
    async with app.library:
        await app.sign_in(ann, "n-1")
        await app.sign_in(ann, "n-2")
        assert ann.asked == ["password", "decision"]
        with pytest.raises(OAuthError, match="invalid_grant"):
            await app.sign_in(ann, "n-3", code_verifier=generate_token(64))


async def test_a_public_app_on_a_port_of_its_own(app_of: AppOf, ann: Visitor) -> None:
    app = await app_of(auth_method="none", redirect_uris=[LOOPBACK])
    app.library.redirect_uri = LOOPBACK.replace("127.0.0.1", "127.0.0.1:53123")
    async with app.library as library:
        token = await app.sign_in(ann, "n-1")
        assert (await app.identity(token, "n-1"))["aud"] in (app.client_id, [app.client_id])
        fresh = await library.refresh_token(app.document["token_endpoint"])
        assert fresh["access_token"] != token["access_token"]


@pytest.fixture
def session_of(server: Server, services: Services, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> SessionOf:
    """A client of its own, and a session of the library for it, by authentication method."""
    # The issuer is http, since no certificate is at hand.
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")

    async def make(auth_method: str) -> tuple[NewClient, OAuth2Session]:
        made = await register(services, tenant, auth_method=auth_method)
        session = OAuth2Session(made.client_id, redirect_uri=CALLBACK, scope=SCOPE.split(), pkce="S256")
        session.mount("http://", Adapter(server.port))
        return made, session

    return make


@pytest.mark.parametrize("kind", ["client_secret_basic", "none"])
async def test_requests_oauthlib_redeems_and_refreshes(
    document: dict[str, Any], ann: Visitor, session_of: SessionOf, kind: str
) -> None:
    made, session = await session_of(kind)
    secret = {"client_secret": made.secret} if made.secret else {"include_client_id": True}
    with session:
        url, _ = session.authorization_url(document["authorization_endpoint"])
        back = await ann.follow(url, CALLBACK)
        token = await asyncio.to_thread(
            session.fetch_token, document["token_endpoint"], authorization_response=back, **secret
        )
        assert set(token["scope"]) == set(SCOPE.split())
        projects = await asyncio.to_thread(session.get, f"{document['issuer']}/api/v1/projects")
        assert projects.status_code == 200
        as_itself = {"auth": (made.client_id, made.secret)} if made.secret else {"client_id": made.client_id}
        fresh = await asyncio.to_thread(session.refresh_token, document["token_endpoint"], **as_itself)
        assert fresh["refresh_token"] != token["refresh_token"]
        with pytest.raises(InvalidGrantError):
            await asyncio.to_thread(
                session.fetch_token, document["token_endpoint"], authorization_response=back, **secret
            )


async def test_requests_oauthlib_hears_of_a_denial(
    document: dict[str, Any], ann: Visitor, session_of: SessionOf
) -> None:
    _, session = await session_of("client_secret_basic")
    with session:
        url, _ = session.authorization_url(document["authorization_endpoint"])
        back = await ann.follow(url, CALLBACK, decision="deny")
        with pytest.raises(AccessDeniedError):
            session.fetch_token(document["token_endpoint"], authorization_response=back, client_secret="-")
