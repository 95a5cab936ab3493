"""Introspection (RFC 7662): who learns what of which token."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from saas.kit.clock import utc_now
from tenants.registry import Tenant
from tests.unit.saas.oauth.conftest import GRANT, TOKEN, assert_refused
from tests.unit.saas.oauth.flow import ALL, App, Flow, claims_of, tokens_of
from tests.unit.saas.oauth.test_revocation import revoke

INTROSPECT = "/oauth2/introspect"
#: All but the one that lets a client see what is not its own.
ORDINARY = [scope for scope in ALL.split() if scope != "tokens:introspect"]
INACTIVE = {"active": False}


async def introspect(flow: Flow, tenant: Tenant, app: App, token: str, **form: str) -> Any:
    response = await answer(flow, tenant, app, {"token": token, **form})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    return response.json()


async def answer(flow: Flow, tenant: Tenant, app: App, form: dict[str, str]) -> httpx.Response:
    return await flow.browser(tenant).http.post(INTROSPECT, data=form, auth=(app.client_id, app.secret))


@pytest.fixture
async def app(flow: Flow, tenant: Tenant) -> App:
    return await flow.app(tenant, scopes=ORDINARY)


@pytest.fixture
async def tokens(flow: Flow, tenant: Tenant, app: App) -> dict[str, Any]:
    return await tokens_of((await flow.person(tenant))[1], app)


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "of no meaning"])
async def test_a_client_sees_its_own_access_token(
    flow: Flow, tenant: Tenant, app: App, tokens: dict[str, Any], hint: str
) -> None:
    claims = claims_of(tokens["access_token"])
    shown = ("scope", "client_id", "sub", "aud", "iss", "exp", "iat", "jti")
    assert await introspect(flow, tenant, app, tokens["access_token"], token_type_hint=hint) == {
        "active": True,
        "token_type": "Bearer",
        **{name: claims[name] for name in shown},
    }


async def test_a_client_sees_its_own_refresh_token(
    flow: Flow, tenant: Tenant, app: App, tokens: dict[str, Any]
) -> None:
    seen = await introspect(flow, tenant, app, tokens["refresh_token"])
    end = seen.pop("exp") - utc_now().timestamp()
    assert flow.settings.tokens.refresh_idle - 30 < end <= flow.settings.tokens.refresh_idle
    assert seen == {
        "active": True,
        "scope": tokens["scope"],
        "client_id": app.client_id,
        "sub": claims_of(tokens["access_token"])["sub"],
        "iss": tenant.issuer,
    }


async def test_a_client_sees_the_token_that_it_has_for_itself(flow: Flow, tenant: Tenant) -> None:
    grants = ["authorization_code", "client_credentials"]
    machine = await flow.app(tenant, grant_types=grants, scopes=["projects:read"])
    http = flow.browser(tenant).http
    token = (await http.post(TOKEN, data=GRANT, auth=(machine.client_id, machine.secret))).json()["access_token"]
    seen = await introspect(flow, tenant, machine, token)
    assert (seen["active"], seen["sub"], seen["scope"]) == (True, machine.client_id, "projects:read")


async def test_another_client_sees_nothing_unless_it_may(
    flow: Flow, tenant: Tenant, app: App, tokens: dict[str, Any]
) -> None:
    stranger = await flow.app(tenant, scopes=ORDINARY)
    api = await flow.app(tenant, scopes=["tokens:introspect"])
    for kind in ("access_token", "refresh_token"):
        assert await introspect(flow, tenant, stranger, tokens[kind]) == INACTIVE
    assert (await introspect(flow, tenant, api, tokens["access_token"]))["client_id"] == app.client_id
    assert await introspect(flow, tenant, api, tokens["refresh_token"]) == INACTIVE


async def test_another_tenant_sees_nothing(
    flow: Flow, tenant: Tenant, other_tenant: Tenant, app: App, tokens: dict[str, Any]
) -> None:
    api = await flow.app(other_tenant)
    for kind in ("access_token", "refresh_token"):
        assert await introspect(flow, other_tenant, api, tokens[kind]) == INACTIVE
        assert_refused(await answer(flow, other_tenant, app, {"token": tokens[kind]}), 401, "invalid_client")


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_a_revoked_token_is_inactive(
    flow: Flow, tenant: Tenant, app: App, tokens: dict[str, Any], kind: str
) -> None:
    await revoke(flow, tenant, app, tokens[kind])
    assert await introspect(flow, tenant, app, tokens[kind]) == INACTIVE
    # By its grant's id, where the refresh token was revoked.
    other = {"access_token": "refresh_token", "refresh_token": "access_token"}[kind]
    assert (await introspect(flow, tenant, app, tokens[other]))["active"] == (kind == "access_token")


async def test_a_replaced_refresh_token_is_inactive(
    flow: Flow, tenant: Tenant, app: App, tokens: dict[str, Any]
) -> None:
    newer = (await flow.browser(tenant).http.post(TOKEN, data=app.refresh(tokens["refresh_token"]))).json()
    assert await introspect(flow, tenant, app, tokens["refresh_token"]) == INACTIVE
    assert (await introspect(flow, tenant, app, newer["refresh_token"]))["active"]


@pytest.mark.parametrize(
    "ended",
    [
        "UPDATE oauth_refresh_families SET expires_at = :past",
        "UPDATE oauth_refresh_families SET last_used_at = last_used_at - make_interval(secs => 1209600)",
        "UPDATE users SET disabled_at = :past",
    ],
)
async def test_a_refresh_token_that_would_be_refused_is_inactive(
    flow: Flow, tenant: Tenant, app: App, tokens: dict[str, Any], ended: str
) -> None:
    past = {"past": utc_now() - timedelta(seconds=1)} if ":past" in ended else {}
    await flow.execute(tenant, ended, **past)
    assert await introspect(flow, tenant, app, tokens["refresh_token"]) == INACTIVE


async def test_what_is_no_access_or_refresh_token_is_inactive(
    flow: Flow, tenant: Tenant, app: App, tokens: dict[str, Any]
) -> None:
    header, payload, signature = tokens["access_token"].split(".")
    forged = f"{header}.{payload}.{signature[:-4]}AAAA"
    for token in (forged, tokens["id_token"], "unknown", "a.b.c", "x" * 22 + "." + "y" * 43, "\0", "caf\u00e9"):
        assert await introspect(flow, tenant, app, token) == INACTIVE


async def test_only_a_client_that_proves_who_it_is_may_ask(
    flow: Flow, tenant: Tenant, app: App, tokens: dict[str, Any]
) -> None:
    http, form = flow.browser(tenant).http, {"token": tokens["access_token"]}
    public = await flow.app(tenant, auth_method="none")
    assert_refused(await http.post(INTROSPECT, data=form), 401, "invalid_client")
    assert_refused(await http.post(INTROSPECT, data={**form, "client_id": public.client_id}), 401, "invalid_client")
    assert_refused(await http.post(INTROSPECT, data=form, auth=(app.client_id, "wrong")), 401, "invalid_client")
    assert_refused(await answer(flow, tenant, app, {}), 400, "invalid_request")
    assert (await http.get(INTROSPECT)).status_code == 405
