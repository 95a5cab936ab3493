"""A code becomes tokens once, for the client, the address and the verifier that it is bound to."""

import asyncio
import base64
from typing import Any

import pytest
from httpx import Response

from saas.kit.crypto import digest
from tenants.registry import Tenant
from tests.unit.saas.identity.world import Browser
from tests.unit.saas.oauth.conftest import assert_refused, decode
from tests.unit.saas.oauth.flow import ALL, TOKEN, App, Flow, ask, code_of, tokens_of


async def redeem(browser: Browser, app: App, code: str, /, **changed: str | None) -> Response:
    return await browser.http.post(TOKEN, data=app.redemption(code, **changed))


async def test_by_basic(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    form = app.redemption(await code_of(browser, app), client_id=None, client_secret=None)
    basic = base64.b64encode(f"{app.client_id}:{app.secret}".encode()).decode()
    response = await browser.http.post(TOKEN, data=form, headers={"Authorization": f"Basic {basic}"})
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_verifier": None}, "invalid_request"),
        ({"code_verifier": "x" * 43}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
        ({"redirect_uri": "https://notes.example/callback/"}, "invalid_grant"),
        ({"redirect_uri": "https://evil.example/cb"}, "invalid_grant"),
        ({"code": "x" * 43}, "invalid_grant"),
        ({"code": "\u00e9\x00"}, "invalid_grant"),
        ({"code": None}, "invalid_request"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_secret": None}, "invalid_client"),
    ],
)
async def test_what_does_not_belong_to_the_code(
    flow: Flow, tenant: Tenant, changed: dict[str, str | None], error: str
) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    code = await code_of(browser, app)
    assert_refused(await redeem(browser, app, code, **changed), 401 if error == "invalid_client" else 400, error)
    assert (await flow.execute(tenant, "SELECT count(*) FROM oauth_refresh_families"))[0] == 0
    assert (await redeem(browser, app, code)).status_code == 200  # who has all of it still gets its tokens


async def test_the_verifier_of_another_request(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    again = App(app.client_id, app.secret, app.redirect_uri)
    code, other = await code_of(browser, app), await code_of(browser, again)
    assert_refused(await redeem(browser, again, code), 400, "invalid_grant")
    assert_refused(await redeem(browser, app, other), 400, "invalid_grant")


async def test_the_challenge_is_no_verifier(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    code = await code_of(browser, app)
    assert_refused(await redeem(browser, app, code, code_verifier=app.challenge), 400, "invalid_grant")


async def test_at_another_client(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    code = await code_of(browser, app)
    for other in (await flow.app(tenant), await flow.app(tenant, auth_method="none")):
        thief = {"client_id": other.client_id, "client_secret": other.secret}
        assert_refused(await redeem(browser, app, code, **thief), 400, "invalid_grant")
    assert (await redeem(browser, app, code)).status_code == 200


async def test_at_another_tenant(flow: Flow, tenant: Tenant, other_tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app, there = await flow.app(tenant), await flow.app(other_tenant)
    code = await code_of(browser, app)
    stranger = flow.browser(other_tenant)
    assert_refused(await redeem(stranger, app, code), 401, "invalid_client")
    credentials = {"client_id": there.client_id, "client_secret": there.secret}
    assert_refused(await redeem(stranger, app, code, **credentials), 400, "invalid_grant")
    assert (await redeem(browser, app, code)).status_code == 200


async def test_after_a_minute(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    code = await code_of(browser, app)
    row = await flow.execute(tenant, "SELECT expires_at - created_at AS lives FROM oauth_codes")
    assert row.lives.total_seconds() == 60
    await flow.execute(tenant, "UPDATE oauth_codes SET expires_at = now()")
    assert_refused(await redeem(browser, app, code), 400, "invalid_grant")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sessions SET ended_at = now()",
        "UPDATE sessions SET expires_at = now()",
        "UPDATE users SET disabled_at = now() WHERE id = (SELECT user_id FROM oauth_codes)",
        "UPDATE users SET roles = '{}' WHERE id = (SELECT user_id FROM oauth_codes)",
    ],
)
async def test_after_its_session_or_its_person_has_ended(flow: Flow, tenant: Tenant, statement: str) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    code = await code_of(browser, app, scope="projects:read")
    await flow.execute(tenant, statement)
    assert_refused(await redeem(browser, app, code), 400, "invalid_grant")


async def test_roles_are_asked_at_redemption_too(flow: Flow, tenant: Tenant) -> None:
    user, browser = await flow.person(tenant, roles=["owner"])
    app = await flow.app(tenant)
    code = await code_of(browser, app, scope=ALL)
    await flow.execute(tenant, "UPDATE users SET roles = '{member}' WHERE id = :u", u=user.id)
    body = (await redeem(browser, app, code)).json()
    assert "billing:read" not in body["scope"].split()
    assert "projects:read" in body["scope"].split()


async def test_twice_ends_what_it_yielded_though_the_answer_is_an_error(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    code = await code_of(browser, app)
    tokens = (await redeem(browser, app, code)).json()
    assert_refused(await redeem(browser, app, code), 400, "invalid_grant")
    await assert_ended(flow, tenant, browser, app, tokens)


async def test_without_valkey_what_is_stored_ends_all_the_same(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    code = await code_of(browser, app)
    tokens = (await redeem(browser, app, code)).json()
    flow.gone.append("no Valkey")
    assert_refused(await redeem(browser, app, code), 400, "invalid_grant")
    assert flow.told == []
    assert (await flow.execute(tenant, "SELECT count(*) FROM oauth_revocations"))[0] == 1
    assert_refused(await browser.http.post(TOKEN, data=app.refresh(tokens["refresh_token"])), 400, "invalid_grant")


async def test_who_has_no_verifier_is_noticed_too(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    code = await code_of(browser, app)
    tokens = (await redeem(browser, app, code)).json()
    assert_refused(await redeem(browser, app, code, code_verifier="x" * 43), 400, "invalid_grant")
    await assert_ended(flow, tenant, browser, app, tokens)


async def test_another_client_cannot_end_what_a_code_yielded(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app, other = await flow.app(tenant), await flow.app(tenant)
    code = await code_of(browser, app)
    tokens = (await redeem(browser, app, code)).json()
    credentials = {"client_id": other.client_id, "client_secret": other.secret}
    assert_refused(await redeem(browser, app, code, **credentials), 400, "invalid_grant")
    refreshed = await browser.http.post(TOKEN, data=app.refresh(tokens["refresh_token"]))
    assert refreshed.status_code == 200


async def test_fifty_at_once_yield_one_token_set(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    code = await code_of(browser, app)
    responses = await asyncio.gather(*(redeem(browser, app, code) for _ in range(50)))
    granted = [response for response in responses if response.status_code == 200]
    assert len(granted) == 1
    for response in responses:
        if response is not granted[0]:
            assert_refused(response, 400, "invalid_grant")
    assert (await flow.execute(tenant, "SELECT count(*) FROM oauth_refresh_families"))[0] == 1
    await assert_ended(flow, tenant, browser, app, granted[0].json())


async def test_what_ends_a_persons_grants_also_ends_what_is_being_redeemed(flow: Flow, tenant: Tenant) -> None:
    """Whichever comes first, nothing of it is left."""
    for _ in range(10):
        user, browser = await flow.person(tenant)
        app = await flow.app(tenant)
        code = await code_of(browser, app)

        async def end() -> None:
            async with flow.people.services.database.tenant_session(tenant) as session:
                await flow.endings.end_all(session, tenant, user.id)  # noqa: B023

        response, _ = await asyncio.gather(redeem(browser, app, code), end())
        if response.status_code == 200:
            await assert_ended(flow, tenant, browser, app, response.json())
        else:
            assert_refused(response, 400, "invalid_grant")


async def test_a_code_leaves_no_trace_where_nothing_was_issued(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    assert (await ask(browser, app)).status_code == 200
    assert (await flow.execute(tenant, "SELECT count(*) FROM oauth_codes"))[0] == 0


async def test_the_digest_is_not_the_code(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    code = await code_of(browser, app)
    stored = (await flow.execute(tenant, "SELECT digest FROM oauth_codes")).digest
    assert stored == digest(code)
    assert_refused(await redeem(browser, app, stored.hex()), 400, "invalid_grant")


async def test_a_confidential_clients_code_is_not_redeemed_without_its_secret(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    tokens = await tokens_of(browser, app)
    assert tokens["access_token"]
    code = await code_of(browser, app)
    assert_refused(await redeem(browser, app, code, client_secret=None), 401, "invalid_client")


async def assert_ended(flow: Flow, tenant: Tenant, browser: Browser, app: App, tokens: dict[str, Any]) -> None:
    """The refresh token is dead, and the access token's grant is revoked, for good and at once."""
    assert_refused(await browser.http.post(TOKEN, data=app.refresh(tokens["refresh_token"])), 400, "invalid_grant")
    grant = (await decode(browser.http, tokens["access_token"])).claims["gid"]
    lasts = "SELECT expires_at > now() + interval '590 seconds' FROM oauth_revocations WHERE id = :g"
    assert (await flow.execute(tenant, lasts, g=grant))[0]
    assert (tenant.id, grant) in flow.told
