"""What the token endpoint refuses: RFC 6749 section 5.2."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx import AsyncClient
from joserfc.errors import InvalidKeyIdError

from saas.oauth.clients import NewClient
from tests.unit.saas.oauth.conftest import GRANT, TOKEN, World, assert_refused, decode


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
        "Basic \u00e9",
        "Bearer x",
        "",
    ],
)
async def test_unreadable_credentials(http: AsyncClient, authorization: str) -> None:
    response = await http.post(TOKEN, data=GRANT, headers={b"Authorization": authorization.encode("latin-1")})
    assert_refused(response, 401, "invalid_client")


async def test_no_credentials(http: AsyncClient, client: NewClient) -> None:
    assert_refused(await http.post(TOKEN, data=GRANT), 401, "invalid_client")
    assert_refused(await http.post(TOKEN, data={**GRANT, "client_id": client.client_id}), 401, "invalid_client")


async def test_two_authorization_headers(http: AsyncClient, client: NewClient) -> None:
    value = "Basic " + base64.b64encode(f"{client.client_id}:{client.secret}".encode()).decode()
    headers = [("Authorization", value), ("Authorization", value)]
    assert_refused(await http.post(TOKEN, data=GRANT, headers=headers), 401, "invalid_client")


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
