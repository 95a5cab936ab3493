"""What a person sees of the apps that they have let in, and how they put one out."""

import pytest

from saas.oauth.connected_apps import ConnectedAppService
from tenants.registry import Tenant
from tests.unit.saas.oauth.conftest import assert_refused, decode
from tests.unit.saas.oauth.flow import AUTHORIZE, TOKEN, App, Flow, ask, code_of, tokens_of


@pytest.fixture
def apps(flow: Flow) -> ConnectedAppService:
    service: ConnectedAppService = flow.people.app.state.connected_apps
    return service


async def test_apps_are_listed_by_name_with_what_they_may_do(
    flow: Flow, tenant: Tenant, apps: ConnectedAppService
) -> None:
    user, browser = await flow.person(tenant)
    _, other = await flow.person(tenant)
    notes = await flow.app(tenant, name="notes")
    await tokens_of(browser, notes, scope="openid projects:read")
    await tokens_of(browser, notes, scope="openid projects:write offline_access")
    await tokens_of(browser, await flow.app(tenant, name="Board", first_party=True), scope="email offline_access")
    await tokens_of(browser, await flow.app(tenant, name="Silent", first_party=True), scope="email")
    await tokens_of(other, await flow.app(tenant, name="Other"))
    revoked = await flow.app(tenant, name="Revoked")
    await tokens_of(browser, revoked)
    async with flow.people.services.database.tenant_session(tenant) as session:
        await flow.clients.revoke(session, tenant, revoked.client_id)
    async with flow.people.services.database.tenant_session(tenant) as session:
        listed = await apps.list(session, user.id)
    assert [app.name for app in listed] == ["Board", "notes"]
    assert listed[1].id == notes.client_id
    assert set(listed[0].scopes) == {"See your e-mail address", "Keep its access while you are not there"}
    assert {"See projects", "Change projects"} <= set(listed[1].scopes)
    assert len(listed[1].scopes) == len(set(listed[1].scopes))


async def test_to_revoke_one_takes_back_consent_tokens_and_codes(
    flow: Flow, tenant: Tenant, apps: ConnectedAppService
) -> None:
    user, browser = await flow.person(tenant)
    app, kept = await flow.app(tenant), await flow.app(tenant)
    tokens, others = await tokens_of(browser, app), await tokens_of(browser, kept)
    code = await code_of(browser, app)
    async with flow.people.services.database.tenant_session(tenant) as session:
        assert await apps.revoke(session, tenant, user.id, app.client_id)
    assert_refused(await browser.http.post(TOKEN, data=app.refresh(tokens["refresh_token"])), 400, "invalid_grant")
    assert_refused(await browser.http.post(TOKEN, data=app.redemption(code)), 400, "invalid_grant")
    grant = (await decode(browser.http, tokens["access_token"])).claims["gid"]
    assert (tenant.id, grant) in flow.told
    assert (await ask(browser, app)).status_code == 200  # the consent page
    assert (await browser.http.post(TOKEN, data=kept.refresh(others["refresh_token"]))).status_code == 200
    async with flow.people.services.database.tenant_session(tenant) as session:
        assert [found.id for found in await apps.list(session, user.id)] == [kept.client_id]
        assert not await apps.revoke(session, tenant, user.id, app.client_id)
        assert not await apps.revoke(session, tenant, user.id, "app_unknown")


async def test_nobody_revokes_what_is_anothers(flow: Flow, tenant: Tenant, apps: ConnectedAppService) -> None:
    _, browser = await flow.person(tenant)
    eve, _ = await flow.person(tenant)
    app = await flow.app(tenant)
    tokens = await tokens_of(browser, app)
    async with flow.people.services.database.tenant_session(tenant) as session:
        assert not await apps.revoke(session, tenant, eve.id, app.client_id)
    assert (await browser.http.post(TOKEN, data=app.refresh(tokens["refresh_token"]))).status_code == 200


async def test_the_name_of_the_app_that_a_path_leads_to(
    flow: Flow, tenant: Tenant, other_tenant: Tenant, apps: ConnectedAppService
) -> None:
    app: App = await flow.app(tenant)
    path = f"{AUTHORIZE}?a=b&client_id={app.client_id}"
    assert await apps.name_at(tenant, path) == "Notes"
    assert await apps.name_at(other_tenant, path) is None
    queries = ("client_id=%ff", "client_id=", f"a={'x' * 9000}")
    for strange in ("", "/", "//[", *(f"{AUTHORIZE}?{query}" for query in queries)):
        assert await apps.name_at(tenant, strange) is None
