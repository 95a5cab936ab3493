"""Apps, made and run over the API by a program; and what people have allowed them."""

from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey
from sqlalchemy import text

from saas.services import Services
from tenants.registry import Tenant
from tests.conftest import MakeMachine

ALL = ["clients:read", "clients:write", "consents:read", "consents:write"]
TOKEN = "/oauth2/token"
WEB: dict[str, Any] = {
    "kind": "web",
    "name": "Notes",
    "scopes": ["openid", "offline_access", "projects:read"],
    "redirect_uris": ["https://notes.example/callback"],
}
MACHINE: dict[str, Any] = {"kind": "machine", "name": "Nightly", "scopes": ["projects:read"]}


@pytest.fixture
async def api(machine: MakeMachine, tenant: Tenant) -> httpx.AsyncClient:
    client = await machine(tenant, ALL)
    client.base_url = f"{tenant.issuer}/api/v1"
    return client


async def _actions(services: Services, tenant: Tenant) -> list[str]:
    async with services.database.tenant_session(tenant) as session:
        return list(await session.scalars(text("SELECT action FROM audit_events ORDER BY position")))


async def _token_of(api: httpx.AsyncClient, tenant: Tenant, client_id: str, secret: str) -> httpx.Response:
    form = {"grant_type": "client_credentials"}
    return await api.post(tenant.issuer + TOKEN, data=form, auth=(client_id, secret))


async def test_an_app_from_its_making_to_its_end(services: Services, tenant: Tenant, api: httpx.AsyncClient) -> None:
    answer = await api.post("/clients", json=MACHINE, headers={"Idempotency-Key": "k1"})
    made = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, f"/api/v1/clients/{made['client_id']}")
    assert made["grant_types"] == ["client_credentials"]
    again = await api.post("/clients", json=MACHINE, headers={"Idempotency-Key": "k1"})
    assert (again.json(), again.headers["idempotency-replayed"]) == (made, "true")
    client_id, secret = made["client_id"], made["client_secret"]
    token = (await _token_of(api, tenant, client_id, secret)).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await api.get("/projects", headers=bearer)).status_code == 200

    read = await api.get(f"/clients/{client_id}")
    assert "secret" not in read.text.replace("secrets", "").replace("client_secret_basic", "")
    assert (await api.get(f"/clients/{client_id}", headers={"If-None-Match": read.headers["etag"]})).status_code == 304
    old = {"If-Match": read.headers["etag"]}
    changed = await api.patch(f"/clients/{client_id}", json={"name": "Weekly"}, headers=old)
    assert (changed.status_code, changed.json()["name"]) == (200, "Weekly")
    assert (await api.patch(f"/clients/{client_id}", json={"name": "Lost"}, headers=old)).status_code == 412
    assert (await api.delete(f"/clients/{client_id}", headers=old)).status_code == 412

    rotated = (await api.post(f"/clients/{client_id}/rotate-secret", json={"overlap_seconds": 3600})).json()
    for each in (secret, rotated["client_secret"]):
        assert (await _token_of(api, tenant, client_id, each)).status_code == 200
    (ending, lasting) = (await api.get(f"/clients/{client_id}")).json()["secrets"]
    assert (ending["expires_at"] is None, lasting["expires_at"]) == (False, None)

    assert (await api.get("/projects", headers=bearer)).status_code == 200
    revoked = await api.post(f"/clients/{client_id}/revoke-tokens")
    assert (revoked.status_code, revoked.json()) == (200, {"refresh_tokens": 0, "consents": 0})
    refused = await api.get("/projects", headers=bearer)
    assert (refused.status_code, refused.json()["detail"]) == (
        401,
        "The client of the token is unknown or revoked, or its tokens were",
    )
    assert (await api.delete(f"/clients/{client_id}")).status_code == 204
    for gone in (await api.get(f"/clients/{client_id}"), await api.delete(f"/clients/{client_id}")):
        assert (gone.status_code, gone.json()["type"]) == (404, "urn:saas:problem:unknown-client")
    assert (await _token_of(api, tenant, client_id, secret)).json()["error"] == "invalid_client"
    own = ["client.created", "client.changed", "client.secret_rotated", "client.tokens_revoked", "client.deleted"]
    assert (await _actions(services, tenant))[-5:] == own


@pytest.mark.parametrize(
    ("kind", "auth_method", "grants"),
    [
        ("web", "client_secret_basic", ["authorization_code", "refresh_token"]),
        ("single_page", "none", ["authorization_code", "refresh_token"]),
        ("mobile", "none", ["authorization_code", "refresh_token"]),
        ("device", "none", ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"]),
    ],
)
async def test_a_kind_brings_along_what_it_needs(
    api: httpx.AsyncClient, kind: str, auth_method: str, grants: list[str]
) -> None:
    new = {**WEB, "kind": kind, "redirect_uris": [] if kind == "device" else WEB["redirect_uris"]}
    made = (await api.post("/clients", json=new)).json()
    assert (made["kind"], made["token_endpoint_auth_method"], made["grant_types"]) == (kind, auth_method, grants)
    assert (made["client_secret"] is None) is (auth_method == "none")


async def test_all_that_is_wrong_is_told_at_once(api: httpx.AsyncClient) -> None:
    new = {**WEB, "name": " ", "scopes": ["nope"], "redirect_uris": ["com.example.notes:/back"]}
    problem = (await api.post("/clients", json=new)).json()
    assert {error["pointer"] for error in problem["errors"]} == {"/name", "/scopes", "/redirect_uris"}
    assert "web app" in problem["errors"][-1]["message"]
    assert (await api.post("/clients", json={**new, "kind": "mobile", "name": "A", "scopes": ["openid"]})).is_success
    faults: list[dict[str, Any]] = [
        {"redirect_uris": []},
        {"redirect_uris": ["http://notes.example/"]},
        {"kind": "machine"},
        {"kind": "toaster"},
        {"jwks": {"keys": [{"kty": "EC", "d": "x"}]}},
        {"backchannel_logout_uri": "notes.example:/out"},
        {"name": "a\0"},
    ]
    for wrong in faults:
        answer = await api.post("/clients", json={**WEB, **wrong})
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), wrong


async def test_keys_instead_of_a_secret_are_replaced(api: httpx.AsyncClient) -> None:
    keys = [ECKey.generate_key("P-256").as_dict(private=False) for _ in range(2)]
    made = (await api.post("/clients", json={**MACHINE, "jwks": {"keys": keys[:1]}})).json()
    assert (made["token_endpoint_auth_method"], made["client_secret"]) == ("private_key_jwt", None)
    path = f"/clients/{made['client_id']}"
    changed = (await api.patch(path, json={"jwks": {"keys": keys[1:]}})).json()
    assert [key["x"] for key in changed["jwks"]["keys"]] == [keys[1]["x"]]
    assert (await api.patch(path, json={"jwks": None})).status_code == 422
    assert (await api.post(f"{path}/rotate-secret")).status_code == 422


async def test_nobody_gives_an_app_more_than_they_have(api: httpx.AsyncClient, machine: MakeMachine) -> None:
    for greedy in (
        {**MACHINE, "scopes": ["users:write"]},
        {**WEB, "first_party": True, "scopes": ["openid", "settings:write"]},
    ):
        answer = await api.post("/clients", json=greedy)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:saas:problem:beyond-your-rights")
    # People are asked, and have no more to give than is theirs.
    asking = (await api.post("/clients", json={**WEB, "scopes": ["openid", "users:write"]})).json()
    assert (await api.patch(f"/clients/{asking['client_id']}", json={"first_party": True})).status_code == 403


async def test_a_stronger_apps_secret_is_not_to_be_had(
    services: Services, tenant: Tenant, machine: MakeMachine, api: httpx.AsyncClient
) -> None:
    strong = await machine(tenant, [*ALL, "users:write"])
    made = (await strong.post("/api/v1/clients", json={**MACHINE, "scopes": ["users:write"]})).json()
    path = f"/clients/{made['client_id']}"
    assert (await api.post(f"{path}/rotate-secret")).status_code == 403
    assert (await api.patch(path, json={"scopes": ["projects:read"]})).status_code == 403
    assert (await api.delete(path)).status_code == 204


async def test_lists_come_in_pages(api: httpx.AsyncClient, other_tenant: Tenant, machine: MakeMachine) -> None:
    names = [f"App {number}" for number in range(5)]
    for name in names:
        await api.post("/clients", json={**MACHINE, "name": name})
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        more = {"cursor": cursor} if cursor else {}
        page = (await api.get("/clients", params={"limit": 2, "q": "app ", **more})).json()
        assert len(page["items"]) <= 2
        found += [client["name"] for client in page["items"]]
        cursor = page["next_cursor"]
    assert found == names[::-1]
    assert (await api.get("/clients", params={"cursor": "x"})).status_code == 422
    stranger = await machine(other_tenant, ALL)
    assert "App" not in (await stranger.get("/api/v1/clients")).text


async def test_what_people_have_allowed(services: Services, tenant: Tenant, api: httpx.AsyncClient) -> None:
    made = [(await api.post("/clients", json={**WEB, "name": name})).json()["client_id"] for name in ("A", "B")]
    people = [f"{name}@people.example" for name in ("ann", "bob", "cy")]
    async with services.database.tenant_session(tenant) as session:
        ids = [(await services.users.create(session, tenant, email=email, name="")).id for email in people]
        # ann: A and B; bob: A, in two ways; cy: a token of B that is over.
        for minute, (user, client) in enumerate([(0, 0), (0, 1), (1, 0)]):
            await session.execute(
                text(
                    "INSERT INTO oauth_consents (user_id, client, scopes, created_at, updated_at) SELECT :user, id,"
                    " '{openid,email}', now() + :minute * interval '1 minute', now() FROM oauth_clients"
                    " WHERE client_id = :client"
                ),
                {"user": ids[user], "client": made[client], "minute": minute},
            )
        for user, client, left in ((1, 0, 1), (2, 1, -1)):
            await session.execute(
                text(
                    "INSERT INTO oauth_refresh_families (id, handle, digest, client, user_id, scopes, authenticated_at,"
                    " amr, last_used_at, expires_at, created_at, updated_at) SELECT gen_random_uuid(), :handle, '', id,"
                    " :user, '{openid,projects:read}', now(), '{}', now(), now() + :left * interval '1 day',"
                    " now() + interval '1 hour', now() FROM oauth_clients WHERE client_id = :client"
                ),
                {"handle": bytes([user]), "user": ids[user], "client": made[client], "left": left},
            )
    first = (await api.get("/consents", params={"limit": 2})).json()
    second = (await api.get("/consents", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    rows = first["items"] + second["items"]
    assert [(row["email"][:3], row["client_name"]) for row in rows] == [("bob", "A"), ("ann", "B"), ("ann", "A")]
    assert second["next_cursor"] is None
    assert set(rows[0]["scopes"]) == {"openid", "email", "projects:read"}
    assert (rows[0]["last_used_at"] is None, rows[1]["last_used_at"]) == (False, None)
    of_b = (await api.get("/consents", params={"client_id": made[1]})).json()["items"]
    of_bob = (await api.get("/consents", params={"q": "BOB@"})).json()["items"]
    assert ([row["id"] for row in of_b], [row["id"] for row in of_bob]) == ([rows[1]["id"]], [rows[0]["id"]])
    access = (await api.get(f"/clients/{made[0]}/access")).json()
    assert (access["people"], access["refresh_tokens"]) == (2, 1)

    assert (await api.delete(f"/consents/{rows[0]['id']}")).status_code == 204
    assert (await api.delete(f"/consents/{rows[0]['id']}")).status_code == 404
    assert (await api.delete("/consents/nonsense")).status_code == 422
    ended = await api.post(f"/clients/{made[0]}/revoke-tokens", json={"consents": True})
    assert ended.json() == {"refresh_tokens": 0, "consents": 1}
    assert [row["client_name"] for row in (await api.get("/consents")).json()["items"]] == ["B"]
    assert (await _actions(services, tenant))[-2:] == ["consent.revoked", "client.tokens_revoked"]


async def test_scripts_of_other_origins_get_tokens_and_use_them(tenant: Tenant, api: httpx.AsyncClient) -> None:
    origin = {"Origin": "https://app.example"}
    asks = {**origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    for path in (TOKEN, "/oauth2/revoke", "/oauth2/userinfo", "/oauth2/par", "/api/v1/projects"):
        preflight = await api.options(tenant.issuer + path, headers=asks)
        assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (204, "*")
        assert "Authorization" in preflight.headers["access-control-allow-headers"]
        assert "access-control-allow-credentials" not in preflight.headers
        answer = await api.post(tenant.issuer + path, headers=origin)
        assert answer.headers["access-control-allow-origin"] == "*", "errors can be read, too"
        plain = await api.post(tenant.issuer + path)
        assert "access-control-allow-origin" not in plain.headers
    for path in ("/oauth2/authorize", "/signin", "/account", "/console"):
        url = tenant.issuer + path
        for answer in (await api.get(url, headers=origin), await api.options(url, headers=asks)):
            assert "access-control-allow-origin" not in answer.headers, path
