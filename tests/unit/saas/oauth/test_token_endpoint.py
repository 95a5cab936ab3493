"""What the token endpoint gives."""

import base64
import time
from urllib.parse import quote_plus

import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client
from httpx import AsyncClient, Response
from httpx2 import ASGITransport

from saas.oauth.clients import NewClient
from tests.unit.saas.oauth.conftest import GRANT, TOKEN, World, assert_refused, at, decode


async def test_a_token_by_basic(world: World, http: AsyncClient, client: NewClient) -> None:
    response = await http.post(TOKEN, data={**GRANT, "scope": "projects:read"}, auth=client)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["pragma"] == "no-cache"
    body = response.json()
    token = body.pop("access_token")
    assert body == {"token_type": "Bearer", "expires_in": 600, "scope": "projects:read"}
    decoded = await decode(http, token)
    assert decoded.header["typ"] == "at+jwt"
    assert decoded.header["alg"] == "ES256"
    assert decoded.header["kid"] == (await world.keys.ring(world.acme)).signer().kid
    claims = decoded.claims
    assert abs(claims.pop("iat") - time.time()) < 5
    assert 595 <= claims.pop("exp") - time.time() <= 600
    assert len(claims.pop("jti")) >= 20
    assert claims == {
        "iss": world.acme.issuer,
        "aud": world.acme.issuer,
        "sub": client.client_id,
        "client_id": client.client_id,
        "scope": "projects:read",
        "tenant": str(world.acme.id),
    }


async def test_a_token_by_post(http: AsyncClient, client: NewClient) -> None:
    response = await http.post(TOKEN, data={**GRANT, "client_id": client.client_id, "client_secret": client.secret})
    assert response.status_code == 200
    assert (await decode(http, response.json()["access_token"])).claims["client_id"] == client.client_id


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_token_for_authlibs_client_from_discovery(
    world: World, http: AsyncClient, client: NewClient, method: str
) -> None:
    document = (await http.get("/.well-known/oauth-authorization-server")).json()
    assert method in document["token_endpoint_auth_methods_supported"]
    endpoint = document["token_endpoint"].replace("http://", "https://")  # Authlib's client insists
    transport = ASGITransport(at(world.app, world.acme))
    async with AsyncOAuth2Client(*client, token_endpoint_auth_method=method, transport=transport) as oauth:
        token = await oauth.fetch_token(endpoint, grant_type="client_credentials", scope="projects:write")
    assert token["scope"] == "projects:write"
    assert (await decode(http, token["access_token"])).claims["sub"] == client.client_id


async def test_every_token_has_its_own_id(http: AsyncClient, client: NewClient) -> None:
    answers = [await http.post(TOKEN, data=GRANT, auth=client) for _ in range(3)]
    ids = {(await decode(http, answer.json()["access_token"])).claims["jti"] for answer in answers}
    assert len(ids) == 3


async def test_scopes(world: World, http: AsyncClient) -> None:
    narrow = await world.new_client(world.acme, "projects:read projects:write", "projects:read")
    none = await world.new_client(world.acme, "projects:read", "")

    async def scope(client: NewClient, **asked: str) -> Response:
        return await http.post(TOKEN, data={**GRANT, **asked}, auth=client)

    assert (await scope(narrow)).json()["scope"] == "projects:read"
    assert (await scope(narrow, scope="")).json()["scope"] == "projects:read"
    assert (await scope(narrow, scope="projects:write")).json()["scope"] == "projects:write"
    both = "projects:write projects:read"
    assert (await scope(narrow, scope=f"{both} projects:write")).json()["scope"] == both
    for asked in ("billing:read", "projects:read nonsense", "projects:read  projects:write", 'a"b', "caf\u00e9", " "):
        assert_refused(await scope(narrow, scope=asked), 400, "invalid_scope")
    assert_refused(await scope(none), 400, "invalid_scope")


async def test_unknown_parameters_and_a_repeated_client_id_are_let_be(http: AsyncClient, client: NewClient) -> None:
    form = {**GRANT, "audience": "x", "client_id": client.client_id}
    assert (await http.post(TOKEN, data=form, auth=client)).status_code == 200


async def test_basic_is_form_urlencoded_inside(http: AsyncClient, client: NewClient) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in client.client_id.encode()) + ":" + quote_plus(client.secret)
    headers = {"Authorization": "basic " + base64.b64encode(encoded.encode()).decode()}
    assert (await http.post(TOKEN, data=GRANT, headers=headers)).status_code == 200
