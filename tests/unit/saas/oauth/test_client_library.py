"""Authlib's client against the whole application: it knows the issuer, and reads everything else."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import httpx2
import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import KeySet

from saas.identity.passwords import hash_password
from saas.services import Services
from tenants.registry import Tenant
from tests.factories import AppFactory

CALLBACK = "https://notes.example/callback"
BYE = "https://notes.example/bye"
PASSWORD = "seven green lamps"


class Person:
    """Somebody with a browser, who signs in and allows what is asked."""

    def __init__(self, http: httpx.AsyncClient, email: str) -> None:
        self.http = http
        self.email = email

    async def follow(self, url: str, until: str) -> str:
        """Where the browser ends up: the first address that begins with `until`."""
        answer = await self.http.get(url)
        for _ in range(10):
            if answer.is_redirect:
                target = str(answer.url.join(answer.headers["location"]))
                if target.startswith(until):
                    return target
                answer = await self.http.get(target)
            elif "password" in answer.text:
                answer = await self._submit(answer, email=self.email, password=PASSWORD)
            elif 'name="decision"' in answer.text:
                answer = await self._submit(answer, decision="allow")
            else:
                link = re.search(r'(?:url=|href=")(/oauth2/[^"]+)"', answer.text)
                assert link, answer.text
                answer = await self.http.get(unescape(link[1]))
        raise AssertionError("The browser is led in circles")

    async def _submit(self, page: httpx.Response, **fields: str) -> httpx.Response:
        hidden = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', page.text)}
        hidden.pop("decision", None)
        return await self.http.post(str(page.url), data={**hidden, **fields})


@pytest.fixture
async def person(services: Services, tenant: Tenant, client_of: Callable[[Tenant], httpx.AsyncClient]) -> Person:
    email = "ann@people.example"
    async with services.database.tenant_session(tenant) as session:
        password_hash = await hash_password(PASSWORD)
        await services.users.create(session, tenant, email=email, name="Ann Example", password_hash=password_hash)
    return Person(client_of(tenant), email)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_discovery_sign_in_id_token_userinfo_refresh_and_logout(
    services: Services, app: FastAPI, tenant: Tenant, person: Person, algorithm: str
) -> None:
    async with services.database.tenant_session(tenant) as session:
        definition = AppFactory(
            scopes=["openid", "profile", "email", "offline_access", "projects:read"],
            redirect_uris=[CALLBACK],
            post_logout_redirect_uris=[BYE],
            id_token_signed_response_alg=algorithm,
        )
        made = await services.clients.create(session, tenant, definition)
    document = (await person.http.get("/.well-known/openid-configuration")).json()
    assert document["issuer"] == tenant.issuer
    async with AsyncOAuth2Client(
        *made,
        scope="openid profile email offline_access projects:read",
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
        transport=httpx2.ASGITransport(app),
    ) as client:
        verifier = "v" * 64
        url, state = client.create_authorization_url(
            document["authorization_endpoint"], code_verifier=verifier, nonce="n1"
        )
        back = await person.follow(url, CALLBACK)
        assert parse_qs(urlsplit(back).query)["iss"] == [document["issuer"]]
        token = await client.fetch_token(
            document["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier
        )
        claims = await _validated(client, document, token, made.client_id, "n1")
        assert claims.header["alg"] == algorithm
        assert (claims["name"], claims["email"]) == ("Ann Example", person.email)
        info = (await client.get(document["userinfo_endpoint"])).json()
        assert (info["sub"], info["email"]) == (claims["sub"], person.email)
        assert (await client.get(f"{tenant.issuer}/api/v1/projects")).status_code == 200
        fresh = await client.refresh_token(document["token_endpoint"])
        again = await _validated(client, document, fresh, made.client_id, None)
        assert (again["sub"], again["sid"]) == (claims["sub"], claims["sid"])
    leave = {"id_token_hint": token["id_token"], "post_logout_redirect_uri": BYE, "state": "s1"}
    assert await person.follow(f"{document['end_session_endpoint']}?{urlencode(leave)}", BYE) == f"{BYE}?state=s1"
    assert (await person.http.get("/account")).is_redirect


async def _validated(
    client: AsyncOAuth2Client, document: dict[str, Any], token: dict[str, Any], client_id: str, nonce: str | None
) -> CodeIDToken:
    keys = KeySet.import_key_set((await client.get(document["jwks_uri"])).json())
    decoded = jwt.decode(token["id_token"], keys, algorithms=document["id_token_signing_alg_values_supported"])
    given = {"client_id": client_id, "access_token": token["access_token"], "nonce": nonce}
    options = {"iss": {"essential": True, "value": document["issuer"]}}
    claims = CodeIDToken(decoded.claims, decoded.header, options, given)
    claims.validate()
    return claims
