import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client
from httpx import AsyncClient, Response
from httpx2 import ASGITransport
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import KeySet
from sqlalchemy import event

from saas.oauth.clients import ClientService, NewClient
from tenants.changes import Changes
from tenants.database import Database
from tests.unit.saas.oauth.conftest import CATALOGUE, World, at

TOKEN = "/oauth2/token"
GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
async def client(world: World) -> NewClient:
    return await world.new_client(world.acme)


@pytest.fixture
async def http(world: World) -> AsyncIterator[AsyncClient]:
    async with world.http(world.acme) as http:
        yield http


def assert_refused(response: Response, status: int, error: str) -> None:
    """RFC 6749 section 5.2."""
    body = response.json()
    assert (response.status_code, body["error"]) == (status, error)
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["pragma"] == "no-cache"
    assert set(body) <= {"error", "error_description", "error_uri"}
    assert all(" " <= char <= "~" and char not in '"\\' for char in body.get("error_description", ""))
    if status == 401:
        assert response.headers["www-authenticate"].startswith("Basic ")


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
    assert decoded.header["kid"] == (await world.keys.ring(world.acme)).signing_key()[0]
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


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "caf\u00e9 \"'"}, "unsupported_grant_type"),
        ({"grant_type": ["client_credentials", "client_credentials"]}, "invalid_request"),
        ({**GRANT, "scope": ["projects:read", ""]}, "invalid_request"),
        ({**GRANT, "anything": "x" * 8193}, "invalid_request"),
        ({**GRANT, "anything": ["x" * 8000, "x" * 8000, "x" * 8000, "x" * 8000, "x" * 8000]}, "invalid_request"),
        ({**GRANT, **{f"p{number}": "" for number in range(40)}}, "invalid_request"),
        ({**GRANT, "client_secret": "x"}, "invalid_request"),
        ({**GRANT, "client_id": "another"}, "invalid_request"),
    ],
)
async def test_malformed_requests(http: AsyncClient, client: NewClient, form: dict[str, Any], error: str) -> None:
    assert_refused(await http.post(TOKEN, data=form, auth=client), 400, error)


async def test_unknown_parameters_and_a_repeated_client_id_are_let_be(http: AsyncClient, client: NewClient) -> None:
    form = {**GRANT, "audience": "x", "client_id": client.client_id}
    assert (await http.post(TOKEN, data=form, auth=client)).status_code == 200


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"grant_type": "client_credentials"}'),
        ("text/plain", b"grant_type=client_credentials"),
        ("multipart/form-data; boundary=x", b"--x--"),
        (None, b"grant_type=client_credentials"),
        ("application/x-www-form-urlencoded", b"grant_type=client_credentials&scope=%ff"),
        ("application/x-www-form-urlencoded", b"grant_type=client_credentials&scope=\xff"),
    ],
)
async def test_what_is_not_a_form(http: AsyncClient, client: NewClient, content_type: str | None, body: bytes) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    assert_refused(await http.post(TOKEN, content=body, headers=headers, auth=client), 400, "invalid_request")


async def test_a_form_that_never_ends_is_not_read_to_its_end(http: AsyncClient, client: NewClient) -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b"a" * 1024

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert_refused(await http.post(TOKEN, content=chunks(), headers=headers, auth=client), 400, "invalid_request")
    assert sent < 50


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
        "Basic " + base64.b64encode(b"%ff:%ff").decode(),
        "Basic " + base64.b64encode(b":").decode(),
        "Basic " + base64.b64encode(b"app_%00:x").decode(),
        "Basic " + base64.b64encode(b"a" * 5000 + b":x").decode(),
        "Bearer x",
        "",
    ],
)
async def test_unreadable_credentials(http: AsyncClient, authorization: str) -> None:
    response = await http.post(TOKEN, data=GRANT, headers={"Authorization": authorization})
    assert_refused(response, 401, "invalid_client")


async def test_no_credentials(http: AsyncClient, client: NewClient) -> None:
    assert_refused(await http.post(TOKEN, data=GRANT), 401, "invalid_client")
    assert_refused(await http.post(TOKEN, data={**GRANT, "client_id": client.client_id}), 401, "invalid_client")


async def test_two_authorization_headers(http: AsyncClient, client: NewClient) -> None:
    value = "Basic " + base64.b64encode(f"{client.client_id}:{client.secret}".encode()).decode()
    headers = [("Authorization", value), ("Authorization", value)]
    assert_refused(await http.post(TOKEN, data=GRANT, headers=headers), 401, "invalid_client")


async def test_basic_is_form_urlencoded_inside(http: AsyncClient, client: NewClient) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in client.client_id.encode()) + ":" + quote_plus(client.secret)
    headers = {"Authorization": "basic " + base64.b64encode(encoded.encode()).decode()}
    assert (await http.post(TOKEN, data=GRANT, headers=headers)).status_code == 200


async def test_unknown_client_and_wrong_secret_are_told_apart_by_nothing(http: AsyncClient, client: NewClient) -> None:
    wrong = await http.post(TOKEN, data=GRANT, auth=(client.client_id, "x" * 43))
    unknown = await http.post(TOKEN, data=GRANT, auth=("app_" + "0" * 32, client.secret))
    assert_refused(wrong, 401, "invalid_client")
    assert (wrong.content, wrong.headers) == (unknown.content, unknown.headers)


async def test_a_client_is_nobody_at_the_other_tenant(world: World, client: NewClient) -> None:
    other = await world.new_client(world.globex)
    async with world.http(world.globex) as http:
        assert_refused(await http.post(TOKEN, data=GRANT, auth=client), 401, "invalid_client")
        mixed = (other.client_id, client.secret)
        assert_refused(await http.post(TOKEN, data=GRANT, auth=mixed), 401, "invalid_client")
        token = (await http.post(TOKEN, data=GRANT, auth=other)).json()["access_token"]
    async with world.http(world.acme) as http:
        with pytest.raises(InvalidKeyIdError):
            await decode(http, token)


async def test_other_methods_are_refused(http: AsyncClient) -> None:
    response = await http.get(TOKEN)
    assert response.status_code == 405
    assert "POST" in response.headers["allow"]


async def test_after_a_rotation_both_secrets_work_until_the_old_one_ends(
    world: World, http: AsyncClient, client: NewClient
) -> None:
    async def status(secret: str) -> int:
        return (await http.post(TOKEN, data=GRANT, auth=(client.client_id, secret))).status_code

    async def rotate(overlap: float) -> str:
        async with world.database.tenant_session(world.acme) as session:
            return await world.clients.rotate_secret(session, world.acme, client.client_id, timedelta(seconds=overlap))

    second = await rotate(3600)
    assert (await status(client.secret), await status(second)) == (200, 200)
    third = await rotate(0.5)
    async with asyncio.timeout(10):  # no change is announced when it ends: the cached record knows its time
        while await status(second) == 200:  # noqa: ASYNC110 - what is waited for is a time
            await asyncio.sleep(0.05)
    assert (await status(client.secret), await status(third)) == (401, 200)
    fourth = await rotate(0)
    assert (await status(third), await status(fourth)) == (401, 200)


async def test_what_another_process_revokes_is_refused_here(world: World, http: AsyncClient, client: NewClient) -> None:
    assert (await http.post(TOKEN, data=GRANT, auth=client)).status_code == 200

    async def publish(message: bytes) -> None:
        world.changes.received(message)

    there = Changes(publish)
    database = Database(
        world.database.engine.url.render_as_string(hide_password=False), pool_size=1, on_commit=there.committed
    )
    async with database.tenant_session(world.acme) as session:
        await ClientService(database, CATALOGUE, there).revoke(session, world.acme, client.client_id)
    await database.close()
    assert_refused(await http.post(TOKEN, data=GRANT, auth=client), 401, "invalid_client")


async def test_in_the_steady_state_nothing_is_asked_of_the_database(
    world: World, http: AsyncClient, client: NewClient
) -> None:
    with statements(world.database) as first:
        assert (await http.post(TOKEN, data=GRANT, auth=client)).status_code == 200
    with statements(world.database) as second:
        for _ in range(20):
            assert (await http.post(TOKEN, data=GRANT, auth=client)).status_code == 200
        assert (await http.post(TOKEN, data=GRANT, auth=(client.client_id, "wrong"))).status_code == 401
        assert (await http.get("/oauth2/jwks")).status_code == 200
        assert (await http.get("/.well-known/oauth-authorization-server")).status_code == 200
    assert first
    assert second == []


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    seen: list[str] = []

    def count(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", count)
    try:
        yield seen
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", count)


async def decode(http: AsyncClient, token: str) -> jwt.Token:
    """Verify with the keys that the metadata leads to."""
    document = (await http.get("/.well-known/oauth-authorization-server")).json()
    keys = (await http.get(document["jwks_uri"])).content
    return jwt.decode(token, KeySet.import_key_set(json.loads(keys)), algorithms=["ES256"])
