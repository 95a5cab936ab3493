"""Resource indicators (RFC 8707): a token is for whom it was asked for, and for nobody else."""

import httpx
import pytest

from saas.access.errors import InvalidToken
from saas.access.jwt import WRONG_AUDIENCE
from saas.oauth.errors import InvalidClientDefinition
from tenants.registry import Tenant
from tests.factories import MachineFactory
from tests.unit.saas.oauth.conftest import GRANT, TOKEN, assert_refused
from tests.unit.saas.oauth.flow import CATALOGUE, App, Flow, answer_of, ask, claims_of, code_of, tokens_of
from tests.unit.saas.oauth.test_introspection import introspect

FILES = "https://files.example/api"
GRANTS = ["authorization_code", "refresh_token", "client_credentials"]


@pytest.fixture
async def app(flow: Flow, tenant: Tenant) -> App:
    return await flow.app(tenant, grant_types=GRANTS, resources=[FILES], first_party=True)


async def post(flow: Flow, tenant: Tenant, form: dict[str, str]) -> httpx.Response:
    return await flow.browser(tenant).http.post(TOKEN, data=form)


async def test_the_audience_follows_through_code_and_refresh(flow: Flow, tenant: Tenant, app: App) -> None:
    _, browser = await flow.person(tenant)
    tokens = await tokens_of(browser, app, resource=FILES)
    assert claims_of(tokens["access_token"])["aud"] == FILES
    for asked in (FILES, None):
        tokens = (await post(flow, tenant, app.refresh(tokens["refresh_token"], resource=asked))).json()
        assert claims_of(tokens["access_token"])["aud"] == FILES
    assert (await introspect(flow, tenant, app, tokens["access_token"]))["aud"] == FILES
    assert claims_of(tokens["id_token"])["aud"] == app.client_id


async def test_our_api_refuses_what_is_for_another(flow: Flow, tenant: Tenant, app: App) -> None:
    _, browser = await flow.person(tenant)
    elsewhere = await tokens_of(browser, app, resource=FILES)
    here = await tokens_of(browser, app)
    verifier = flow.people.services.verifier
    assert await verifier.verify(tenant, here["access_token"])
    with pytest.raises(InvalidToken) as caught:
        await verifier.verify(tenant, elsewhere["access_token"])
    assert caught.value.detail == WRONG_AUDIENCE


@pytest.mark.parametrize("path", ["", "/", "/api", "/api/v1", "/api/v1/projects"])
async def test_the_tenants_own_api_needs_no_registration(flow: Flow, tenant: Tenant, app: App, path: str) -> None:
    _, browser = await flow.person(tenant)
    tokens = await tokens_of(browser, app, resource=tenant.issuer + path)
    assert claims_of(tokens["access_token"])["aud"] == tenant.issuer
    again = await post(flow, tenant, app.refresh(tokens["refresh_token"], resource=tenant.issuer))
    assert claims_of(again.json()["access_token"])["aud"] == tenant.issuer


async def test_what_is_not_allowed_is_refused(flow: Flow, tenant: Tenant, other_tenant: Tenant, app: App) -> None:
    _, browser = await flow.person(tenant)
    for resource in (
        "https://evil.example",
        FILES + "/",
        FILES + "#x",
        tenant.issuer + "/api#x",
        tenant.issuer + "/apis",
        tenant.issuer + ".evil.example/api",
        other_tenant.issuer,
        "files",
    ):
        answer = answer_of(await ask(browser, app, resource=resource))
        assert (answer["error"], answer["iss"]) == ("invalid_target", tenant.issuer)
        form = {**GRANT, "client_id": app.client_id, "client_secret": app.secret, "resource": resource}
        assert_refused(await post(flow, tenant, form), 400, "invalid_target")


async def test_what_was_authorized_for_one_is_not_redeemed_for_another(flow: Flow, tenant: Tenant, app: App) -> None:
    _, browser = await flow.person(tenant)
    for granted, asked in ((FILES, tenant.issuer), (None, FILES)):
        code = await code_of(browser, app, resource=granted)
        assert_refused(await post(flow, tenant, app.redemption(code, resource=asked)), 400, "invalid_target")
        tokens = (await post(flow, tenant, app.redemption(code, resource=granted))).json()
        refused = await post(flow, tenant, app.refresh(tokens["refresh_token"], resource=asked))
        assert_refused(refused, 400, "invalid_target")
        assert (await post(flow, tenant, app.refresh(tokens["refresh_token"], resource=granted))).status_code == 200


async def test_a_client_asks_for_itself(flow: Flow, tenant: Tenant, app: App) -> None:
    for resource, audience in ((FILES, FILES), (tenant.issuer + "/api/v1", tenant.issuer), ("", tenant.issuer)):
        form = {**GRANT, "client_id": app.client_id, "client_secret": app.secret, "resource": resource}
        assert claims_of((await post(flow, tenant, form)).json()["access_token"])["aud"] == audience


async def test_a_resource_that_was_taken_away_ends_its_refreshes(flow: Flow, tenant: Tenant, app: App) -> None:
    _, browser = await flow.person(tenant)
    tokens = await tokens_of(browser, app, resource=FILES)
    await flow.execute(tenant, "UPDATE oauth_clients SET resources = '{}'")
    flow.clients._found.drop(tenant.id)
    assert_refused(await post(flow, tenant, app.refresh(tokens["refresh_token"])), 400, "invalid_target")


@pytest.mark.parametrize(
    "uri",
    ["files", "", "https://a.example/#x", "https://a b.example", "https://\u00e9.example", "https://[", "x" * 2001],
)
def test_what_cannot_be_registered(uri: str) -> None:
    definition = MachineFactory(resources=[uri])
    with pytest.raises(InvalidClientDefinition, match="cannot be a resource"):
        definition.checked(CATALOGUE)
