"""Revocation (RFC 7009): who may end what, and that every process hears of it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from saas.main import create_app
from saas.services import Services
from saas.settings import Settings
from tenants.registry import Tenant
from tests.factories import MachineFactory
from tests.unit.saas.oauth.conftest import GRANT, TOKEN, assert_refused
from tests.unit.saas.oauth.flow import App, Flow, claims_of, tokens_of

REVOKE = "/oauth2/revoke"


async def revoke(flow: Flow, tenant: Tenant, app: App, token: str, **form: str) -> httpx.Response:
    async with flow.browser(tenant).http as http:
        auth = {"auth": (app.client_id, app.secret)} if app.secret else {}
        fields = {"token": token, **({} if app.secret else {"client_id": app.client_id}), **form}
        return await http.post(REVOKE, data=fields, **auth)  # type: ignore[arg-type] # httpx's own defaults


async def refreshed(flow: Flow, tenant: Tenant, app: App, tokens: dict[str, Any]) -> httpx.Response:
    return await flow.browser(tenant).http.post(TOKEN, data=app.refresh(tokens["refresh_token"]))


async def revoked_ids(flow: Flow, tenant: Tenant) -> int:
    return int((await flow.execute(tenant, "SELECT count(*) FROM oauth_revocations"))[0])


@pytest.fixture
async def app(flow: Flow, tenant: Tenant) -> App:
    return await flow.app(tenant)


@pytest.fixture
async def tokens(flow: Flow, tenant: Tenant, app: App) -> dict[str, Any]:
    return await tokens_of((await flow.person(tenant))[1], app)


async def test_an_access_token_is_revoked_alone(flow: Flow, tenant: Tenant, app: App, tokens: dict[str, Any]) -> None:
    response = await revoke(flow, tenant, app, tokens["access_token"])
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    claims = claims_of(tokens["access_token"])
    assert flow.told == [(tenant.id, claims["jti"])]
    row = await flow.execute(tenant, "SELECT id, extract(epoch FROM expires_at) AS end FROM oauth_revocations")
    assert (row.id, int(row.end)) == (claims["jti"], claims["exp"])
    assert (await refreshed(flow, tenant, app, tokens)).status_code == 200


@pytest.mark.parametrize("hint", ["refresh_token", "access_token", "of no meaning", ""])
async def test_a_refresh_token_takes_along_all_of_its_authorization(
    flow: Flow, tenant: Tenant, app: App, tokens: dict[str, Any], hint: str
) -> None:
    response = await revoke(flow, tenant, app, tokens["refresh_token"], token_type_hint=hint)
    assert response.status_code == 200
    assert flow.told == [(tenant.id, claims_of(tokens["access_token"])["gid"])]
    assert_refused(await refreshed(flow, tenant, app, tokens), 400, "invalid_grant")
    assert (await revoke(flow, tenant, app, tokens["refresh_token"])).status_code == 200
    assert len(flow.told) == 1


async def test_a_replaced_refresh_token_ends_its_family_too(
    flow: Flow, tenant: Tenant, app: App, tokens: dict[str, Any]
) -> None:
    newer = (await refreshed(flow, tenant, app, tokens)).json()
    assert (await revoke(flow, tenant, app, tokens["refresh_token"])).status_code == 200
    assert_refused(await refreshed(flow, tenant, app, newer), 400, "invalid_grant")


async def test_a_public_client_revokes_its_own(flow: Flow, tenant: Tenant) -> None:
    app = await flow.app(tenant, auth_method="none")
    tokens = await tokens_of((await flow.person(tenant))[1], app)
    assert (await revoke(flow, tenant, app, tokens["refresh_token"])).status_code == 200
    assert_refused(await refreshed(flow, tenant, app, tokens), 400, "invalid_grant")


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_another_client_revokes_nothing(
    flow: Flow, tenant: Tenant, app: App, tokens: dict[str, Any], kind: str
) -> None:
    other = await flow.app(tenant)
    assert_refused(await revoke(flow, tenant, other, tokens[kind]), 400, "invalid_grant")
    assert (await revoked_ids(flow, tenant), flow.told) == (0, [])
    assert (await refreshed(flow, tenant, app, tokens)).status_code == 200


async def test_at_another_tenant_a_token_is_unknown(
    flow: Flow, tenant: Tenant, other_tenant: Tenant, app: App, tokens: dict[str, Any]
) -> None:
    there = await flow.app(other_tenant)
    for kind in ("access_token", "refresh_token"):
        assert (await revoke(flow, other_tenant, there, tokens[kind])).status_code == 200
        assert_refused(await revoke(flow, other_tenant, app, tokens[kind]), 401, "invalid_client")
    assert (await revoked_ids(flow, other_tenant), flow.told) == (0, [])
    assert (await refreshed(flow, tenant, app, tokens)).status_code == 200


@pytest.mark.parametrize("token", ["unknown", "a.b.c", "x" * 22 + "." + "y" * 43, "caf\u00e9", "\0"])
async def test_what_is_unknown_is_as_good_as_revoked(flow: Flow, shared_tenant: Tenant, token: str) -> None:
    app = await flow.app(shared_tenant)
    assert (await revoke(flow, shared_tenant, app, token)).status_code == 200
    assert await revoked_ids(flow, shared_tenant) == 0


async def test_whoever_is_not_the_client_is_refused(
    flow: Flow, tenant: Tenant, app: App, tokens: dict[str, Any]
) -> None:
    for secret in ("", "wrong"):
        impostor = App(app.client_id, secret, app.redirect_uri)
        assert_refused(await revoke(flow, tenant, impostor, tokens["refresh_token"]), 401, "invalid_client")
    http = flow.browser(tenant).http
    assert_refused(await http.post(REVOKE, data={"token": tokens["refresh_token"]}), 401, "invalid_client")
    assert_refused(await revoke(flow, tenant, app, ""), 400, "invalid_request")
    assert (await http.get(REVOKE)).status_code == 405
    assert (await refreshed(flow, tenant, app, tokens)).status_code == 200


@pytest.fixture
async def processes(settings: Settings, tenant: Tenant) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Two applications with services of their own, as two processes have them."""
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(2):
            application = create_app(settings)
            await stack.enter_async_context(application.router.lifespan_context(application))
            http = httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url=tenant.issuer)
            clients.append(await stack.enter_async_context(http))
        yield clients


async def test_every_process_refuses_a_revoked_token_at_its_next_request(
    services: Services, tenant: Tenant, processes: list[httpx.AsyncClient]
) -> None:
    async with services.database.tenant_session(tenant) as session:
        machine = MachineFactory(scopes=["projects:read"])
        made = await services.clients.create(session, tenant, machine)
    here, there = processes
    token = (await here.post(TOKEN, data=GRANT, auth=made)).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    for http in processes:
        assert (await http.get("/api/v1/me", headers=bearer)).status_code == 200
    assert (await here.post(REVOKE, data={"token": token}, auth=made)).status_code == 200
    for http in (there, here):
        refused = await http.get("/api/v1/me", headers=bearer)
        assert (refused.status_code, 'error="invalid_token"' in refused.headers["www-authenticate"]) == (401, True)
    other = (await there.post(TOKEN, data=GRANT, auth=made)).json()["access_token"]
    assert (await here.get("/api/v1/me", headers={"Authorization": f"Bearer {other}"})).status_code == 200
