"""Refresh tokens: replaced at each use; a replaced one that comes back ends all of them, but for a short grace."""

import asyncio
from typing import Any

import pytest
from httpx import Response

from tenants.registry import Tenant
from tests.unit.saas.identity.world import Browser
from tests.unit.saas.oauth.conftest import assert_refused, decode
from tests.unit.saas.oauth.flow import ALL, TOKEN, App, Flow, statements_of, tokens_of

SCOPE = "openid offline_access projects:read projects:write"


async def refresh(browser: Browser, app: App, token: str, /, **changed: str | None) -> Response:
    return await browser.http.post(TOKEN, data=app.refresh(token, **changed))


async def good(browser: Browser, app: App, token: str, /, **changed: str | None) -> dict[str, Any]:
    response = await refresh(browser, app, token, **changed)
    assert response.status_code == 200, response.text
    tokens: dict[str, Any] = response.json()
    return tokens


async def start(flow: Flow, tenant: Tenant, **changed: Any) -> tuple[Browser, App, str]:
    """Somebody, an app, and its first refresh token."""
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant, **changed)
    return browser, app, (await tokens_of(browser, app, scope=SCOPE))["refresh_token"]


async def ended(flow: Flow, tenant: Tenant) -> bool:
    """Whether the one family is revoked; its access tokens then are, too, for good and at once."""
    family = await flow.execute(
        tenant,
        "SELECT f.id, f.revoked_at, f.answer, r.id AS told FROM oauth_refresh_families f "
        "LEFT JOIN oauth_revocations r ON r.id = f.id::text",
    )
    revoked: bool = family.revoked_at is not None
    assert (family.told is not None) is revoked
    assert ((tenant.id, str(family.id)) in flow.told) is revoked
    assert not (revoked and family.answer)
    return revoked


async def later(flow: Flow, tenant: Tenant, seconds: float) -> None:
    """As if so much time had passed for the family."""
    await flow.execute(
        tenant,
        "UPDATE oauth_refresh_families SET rotated_at = rotated_at - make_interval(secs => :s), "
        "last_used_at = last_used_at - make_interval(secs => :s), expires_at = expires_at - make_interval(secs => :s)",
        s=seconds,
    )


@pytest.mark.parametrize("method", ["client_secret_basic", "none"])
async def test_each_use_replaces_the_token(flow: Flow, tenant: Tenant, method: str) -> None:
    browser, app, token = await start(flow, tenant, auth_method=method)
    seen = {token}
    handle = token.partition(".")[0]
    before: dict[str, Any] = {}
    for _ in range(4):
        await later(flow, tenant, 31)
        tokens = await good(browser, app, token)
        assert tokens.keys() == {"access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token"}
        token = tokens["refresh_token"]
        assert token not in seen
        seen.add(token)
        assert token.partition(".")[0] == handle
        claims = (await decode(browser.http, tokens["access_token"])).claims
        of_grant = {name: claims[name] for name in ("sub", "sid", "gid", "auth_time", "amr", "scope")}
        assert before in ({}, of_grant)
        before = of_grant
    assert not await ended(flow, tenant)


async def test_an_old_token_ends_the_family_though_the_answer_is_an_error(flow: Flow, tenant: Tenant) -> None:
    browser, app, first = await start(flow, tenant)
    second = (await good(browser, app, first))["refresh_token"]
    third = (await good(browser, app, second))["refresh_token"]
    assert_refused(await refresh(browser, app, first), 400, "invalid_grant")
    assert await ended(flow, tenant)
    for token in (first, second, third):
        assert_refused(await refresh(browser, app, token), 400, "invalid_grant")


async def test_the_replaced_token_gets_the_same_answer_for_half_a_minute(flow: Flow, tenant: Tenant) -> None:
    browser, app, first = await start(flow, tenant)
    answer = await good(browser, app, first)
    for _ in range(3):
        assert await good(browser, app, first) == answer
    await later(flow, tenant, 25)
    assert await good(browser, app, first) == answer
    await later(flow, tenant, 6)
    assert_refused(await refresh(browser, app, first), 400, "invalid_grant")
    assert await ended(flow, tenant)
    assert_refused(await refresh(browser, app, answer["refresh_token"]), 400, "invalid_grant")


async def test_only_the_one_before_has_a_grace(flow: Flow, tenant: Tenant) -> None:
    browser, app, first = await start(flow, tenant)
    second = (await good(browser, app, first))["refresh_token"]
    await good(browser, app, second)
    assert_refused(await refresh(browser, app, first), 400, "invalid_grant")
    assert await ended(flow, tenant)


async def test_a_retry_writes_nothing(flow: Flow, tenant: Tenant) -> None:
    browser, app, first = await start(flow, tenant)
    await good(browser, app, first)
    sent: list[str] = []
    async with statements_of(flow, sent):
        await good(browser, app, first)
    assert [statement.split(" ")[0] for statement in sent] == ["BEGIN;", "SELECT", "COMMIT"]


async def test_the_replaced_token_may_ask_for_less_and_rotates_nothing(flow: Flow, tenant: Tenant) -> None:
    browser, app, first = await start(flow, tenant)
    answer = await good(browser, app, first)
    other = await good(browser, app, first, scope="projects:read")
    assert other["scope"] == "projects:read"
    assert other["access_token"] != answer["access_token"]
    assert other["refresh_token"] == answer["refresh_token"]
    assert await good(browser, app, first) == answer
    assert await good(browser, app, answer["refresh_token"])


async def test_fifty_at_once_get_one_answer_and_one_family_lives(flow: Flow, tenant: Tenant) -> None:
    browser, app, token = await start(flow, tenant)
    responses = await asyncio.gather(*(refresh(browser, app, token) for _ in range(50)))
    assert {response.status_code for response in responses} == {200}
    assert len({response.text for response in responses}) == 1
    assert (await flow.execute(tenant, "SELECT count(*) FROM oauth_refresh_families"))[0] == 1
    assert not await ended(flow, tenant)
    assert await good(browser, app, responses[0].json()["refresh_token"])


async def test_fifty_at_once_after_the_grace_end_it_once(flow: Flow, tenant: Tenant) -> None:
    browser, app, token = await start(flow, tenant)
    await good(browser, app, token)
    await later(flow, tenant, 31)
    for response in await asyncio.gather(*(refresh(browser, app, token) for _ in range(50))):
        assert_refused(response, 400, "invalid_grant")
    assert await ended(flow, tenant)
    assert len(flow.told) == 1


@pytest.mark.parametrize("age", ["present", "replaced", "old"])
async def test_another_client_gets_nothing_and_ends_it(flow: Flow, tenant: Tenant, age: str) -> None:
    """Who presents a token of another client has it from somewhere."""
    browser, app, first = await start(flow, tenant)
    token = first
    if age != "present":
        second = (await good(browser, app, first))["refresh_token"]
        if age == "old":
            await good(browser, app, second)
    other = await flow.app(tenant, auth_method="none")
    assert_refused(await refresh(browser, other, token), 400, "invalid_grant")
    assert await ended(flow, tenant)
    assert_refused(await refresh(browser, app, token), 400, "invalid_grant")


async def test_a_client_without_the_grant_does_not_end_it(flow: Flow, tenant: Tenant) -> None:
    browser, app, token = await start(flow, tenant)
    other = await flow.app(tenant, grant_types=["authorization_code"])
    assert_refused(await refresh(browser, other, token), 400, "unauthorized_client")
    assert await good(browser, app, token)


async def test_a_confidential_client_needs_its_secret(flow: Flow, tenant: Tenant) -> None:
    browser, app, token = await start(flow, tenant)
    for secret in (None, "wrong"):
        assert_refused(await refresh(browser, app, token, client_secret=secret), 401, "invalid_client")
    assert await good(browser, app, token)


@pytest.mark.parametrize(
    "token", ["x", "x.y", "." * 66, "a" * 22 + "." + "b" * 43, "\u00e9" * 22 + "." + "b" * 43, "a" * 8000]
)
async def test_what_is_no_token_of_ours(flow: Flow, shared_tenant: Tenant, token: str) -> None:
    app = await flow.app(shared_tenant)
    assert_refused(await refresh(flow.browser(shared_tenant), app, token), 400, "invalid_grant")


async def test_a_missing_token(flow: Flow, tenant: Tenant) -> None:
    app = await flow.app(tenant)
    assert_refused(await refresh(flow.browser(tenant), app, ""), 400, "invalid_request")


async def test_at_another_tenant(flow: Flow, tenant: Tenant, other_tenant: Tenant) -> None:
    browser, app, token = await start(flow, tenant)
    stranger, there = flow.browser(other_tenant), await flow.app(other_tenant)
    assert_refused(await refresh(stranger, app, token), 401, "invalid_client")
    assert_refused(await refresh(stranger, there, token), 400, "invalid_grant")
    assert await good(browser, app, token)


async def test_the_scope_may_narrow_and_widen_again_but_never_grow(flow: Flow, tenant: Tenant) -> None:
    browser, app, token = await start(flow, tenant)
    narrow = await good(browser, app, token, scope="projects:read")
    assert narrow["scope"] == "projects:read"
    assert (await decode(browser.http, narrow["access_token"])).claims["scope"] == "projects:read"
    for more in ("projects:read billing:read", "email", "nonsense", "openid  projects:read"):
        assert_refused(await refresh(browser, app, narrow["refresh_token"], scope=more), 400, "invalid_scope")
    assert (await good(browser, app, narrow["refresh_token"]))["scope"] == SCOPE


async def test_a_role_that_is_lost_takes_its_scopes_and_brings_them_back(flow: Flow, tenant: Tenant) -> None:
    user, browser = await flow.person(tenant, roles=["owner"])
    app = await flow.app(tenant)
    token = (await tokens_of(browser, app, scope=ALL))["refresh_token"]
    change = "UPDATE users SET roles = :roles WHERE id = :user"
    for roles, has in ((["member"], False), ([], False), (["owner"], True)):
        await flow.execute(tenant, change, roles=roles, user=user.id)
        tokens = await good(browser, app, token)
        token = tokens["refresh_token"]
        assert ("billing:read" in tokens["scope"].split()) is has
        assert "openid" in tokens["scope"].split()
    await flow.execute(tenant, change, roles=["member"], user=user.id)
    assert_refused(await refresh(browser, app, token, scope="billing:read"), 400, "invalid_scope")
    assert await good(browser, app, token)


async def test_who_is_disabled_has_nothing_any_more(flow: Flow, tenant: Tenant) -> None:
    user, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    token = (await tokens_of(browser, app))["refresh_token"]
    await flow.execute(tenant, "UPDATE users SET disabled_at = now() WHERE id = :u", u=user.id)
    assert_refused(await refresh(browser, app, token), 400, "invalid_grant")
    assert await ended(flow, tenant)
    await flow.execute(tenant, "UPDATE users SET disabled_at = NULL")
    assert_refused(await refresh(browser, app, token), 400, "invalid_grant")


async def test_to_disable_somebody_ends_their_families_at_once(flow: Flow, tenant: Tenant) -> None:
    user, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    tokens = await tokens_of(browser, app)
    async with flow.people.services.database.tenant_session(tenant) as session:
        await flow.people.users.disable(session, tenant, user.email)
    assert await ended(flow, tenant)
    grant = (await decode(browser.http, tokens["access_token"])).claims["gid"]
    assert (tenant.id, grant) in flow.told


async def test_the_end_of_a_session_does_not_end_offline_access(flow: Flow, tenant: Tenant) -> None:
    browser, app, token = await start(flow, tenant)
    await flow.execute(tenant, "UPDATE sessions SET ended_at = now()")
    token = (await good(browser, app, token))["refresh_token"]
    await flow.execute(tenant, "DELETE FROM sessions")
    assert await good(browser, app, token)


async def test_who_does_not_use_it_loses_it(flow: Flow, tenant: Tenant) -> None:
    browser, app, token = await start(flow, tenant)
    idle = flow.settings.tokens.refresh_idle
    await later(flow, tenant, idle - 5)
    token = (await good(browser, app, token))["refresh_token"]
    await later(flow, tenant, idle - 5)
    token = (await good(browser, app, token))["refresh_token"]
    await later(flow, tenant, idle)
    assert_refused(await refresh(browser, app, token), 400, "invalid_grant")


async def test_however_it_is_used_it_ends(flow: Flow, tenant: Tenant) -> None:
    browser, app, token = await start(flow, tenant)
    await flow.execute(tenant, "UPDATE oauth_refresh_families SET expires_at = now() + interval '5 seconds'")
    token = (await good(browser, app, token))["refresh_token"]
    await later(flow, tenant, 5)
    assert_refused(await refresh(browser, app, token), 400, "invalid_grant")


async def test_a_revoked_client_refreshes_nothing(flow: Flow, tenant: Tenant) -> None:
    browser, app, token = await start(flow, tenant)
    async with flow.people.services.database.tenant_session(tenant) as session:
        await flow.clients.revoke(session, tenant, app.client_id)
    assert_refused(await refresh(browser, app, token), 401, "invalid_client")


async def test_an_answer_opens_at_its_own_place_alone(flow: Flow, tenant: Tenant) -> None:
    """Whoever can write rows but has no key cannot make one family give the answer of another."""
    browser, app, first = await start(flow, tenant)
    other = (await tokens_of(browser, app))["refresh_token"]
    await good(browser, app, first)
    await good(browser, app, other)
    swapped = await flow.execute(
        tenant,
        "UPDATE oauth_refresh_families f SET answer = g.answer FROM oauth_refresh_families g WHERE f.id <> g.id",
    )
    assert swapped == 2
    for token in (first, other):
        assert (await refresh(browser, app, token)).status_code == 500
