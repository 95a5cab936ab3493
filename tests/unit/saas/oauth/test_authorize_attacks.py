"""What somebody may try at the authorization endpoint and its consent page."""

from urllib.parse import urlencode

import pytest
from httpx import Response

from tenants.registry import Tenant
from tests.factories import CALLBACK
from tests.unit.saas.oauth.flow import AUTHORIZE, Flow, allow, answer_of, ask, decide

ELSEWHERE = "https://evil.example/cb"


def assert_page(response: Response) -> None:
    """An answer for the person alone: nothing is sent anywhere."""
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("text/html")
    assert "location" not in response.headers
    assert "refresh" not in response.headers
    assert 'http-equiv="refresh"' not in response.text
    assert "evil.example" not in response.text
    assert "<script>" not in response.text


@pytest.mark.parametrize(
    "redirect_uri",
    [
        ELSEWHERE,
        f"{CALLBACK}/",
        f"{CALLBACK}/more",
        f"{CALLBACK}?x=1",
        f"{CALLBACK}#fragment",
        f"{CALLBACK}%2f..",
        "https://notes.example/other",
        "https://notes.example/Callback",
        "https://NOTES.example/callback",
        "https://notes.example:8443/callback",
        "https://notes.example:443/callback",
        "http://notes.example/callback",
        "https://ann@notes.example/callback",
        "https://notes.example@evil.example/callback",
        "https://notes.example.evil.example/callback",
        "https://evil.example/?https://notes.example/callback",
        "//notes.example/callback",
        "/callback",
        "javascript:alert(1)",
        "https://notes.example/callback\r\nX: 1",
        '"><script>alert(1)</script>',
        None,
        "",
    ],
)
@pytest.mark.parametrize("signed_in", [True, False])
async def test_no_redirect_to_an_address_that_is_not_registered(
    flow: Flow, shared_tenant: Tenant, redirect_uri: str | None, signed_in: bool
) -> None:
    browser = (await flow.person(shared_tenant))[1] if signed_in else flow.browser(shared_tenant)
    app = await flow.app(shared_tenant, first_party=True)
    for changed in ({}, {"response_type": "token"}, {"prompt": "none"}, {"scope": "nonsense"}):
        assert_page(await ask(browser, app, redirect_uri=redirect_uri, **changed))


@pytest.mark.parametrize("client_id", ["app_unknown", "", None, "\x00", '"><script>', "x" * 300, "\u00e9"])
async def test_no_redirect_for_an_unknown_client(flow: Flow, shared_tenant: Tenant, client_id: str | None) -> None:
    _, browser = await flow.person(shared_tenant)
    assert_page(await ask(browser, await flow.app(shared_tenant), client_id=client_id))


async def test_another_clients_address_is_not_ones_own(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app, other = await flow.app(tenant), await flow.app(tenant, redirect_uris=["https://other.example/cb"])
    assert_page(await ask(browser, app, redirect_uri=other.redirect_uri))


async def test_a_confidential_client_does_not_choose_its_port(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant, redirect_uris=["http://127.0.0.1:8080/cb"])
    assert_page(await ask(browser, app, redirect_uri="http://127.0.0.1:8081/cb"))


async def test_a_revoked_client_gets_nothing(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    async with flow.people.services.database.tenant_session(tenant) as session:
        await flow.clients.revoke(session, tenant, app.client_id)
    assert_page(await ask(browser, app))


async def test_clients_and_sessions_are_good_at_their_own_tenant_alone(
    flow: Flow, tenant: Tenant, other_tenant: Tenant
) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant, first_party=True)
    stranger = flow.browser(other_tenant)
    assert_page(await ask(stranger, app))
    assert browser.cookie is not None
    stranger.cookie = browser.cookie
    there = await flow.app(other_tenant, first_party=True)
    assert (await ask(stranger, there)).headers["location"].startswith("/signin?")


async def test_the_tenant_header_picks_no_tenant_for_a_browser(
    flow: Flow, tenant: Tenant, other_tenant: Tenant
) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    url = f"{AUTHORIZE}?{urlencode(app.request())}"
    for host in ("api.localhost:8000", other_tenant.host):
        answer = await browser.http.get(url, headers={"Host": host, "X-Tenant": tenant.slug})
        assert answer.status_code >= 400
        assert "location" not in answer.headers


@pytest.mark.parametrize("csrf", ["", "x", "A" * 86 + "==", None])
async def test_consent_needs_the_form_of_our_own_page(flow: Flow, shared_tenant: Tenant, csrf: str | None) -> None:
    _, browser = await flow.person(shared_tenant)
    app = await flow.app(shared_tenant)
    page = await ask(browser, app)
    url = page.request.url.raw_path.decode()
    form = {"decision": "allow", "scopes": "openid"} | ({} if csrf is None else {"csrf": csrf})
    response = await browser.http.post(url, data=form)
    assert response.status_code == 403
    assert "location" not in response.headers
    assert (await flow.execute(shared_tenant, "SELECT count(*) FROM oauth_consents"))[0] == 0
    assert (await flow.execute(shared_tenant, "SELECT count(*) FROM oauth_codes"))[0] == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_consent_from_another_page_is_refused(flow: Flow, shared_tenant: Tenant, headers: dict[str, str]) -> None:
    _, browser = await flow.person(shared_tenant)
    page = await ask(browser, await flow.app(shared_tenant))
    form = {"decision": "allow", "scopes": "openid", "csrf": browser.token}
    response = await browser.http.post(page.request.url.raw_path.decode(), data=form, headers=headers)
    assert response.status_code == 403


async def test_anothers_form_is_no_consent_of_mine(flow: Flow, tenant: Tenant) -> None:
    _, ann = await flow.person(tenant)
    _, eve = await flow.person(tenant)
    app = await flow.app(tenant)
    await ask(eve, app)
    page = await ask(ann, app)
    response = await ann.http.post(
        page.request.url.raw_path.decode(), data={"decision": "allow", "scopes": "openid", "csrf": eve.token}
    )
    assert response.status_code == 403


async def test_a_form_grants_what_its_page_showed_and_no_more(flow: Flow, tenant: Tenant) -> None:
    user, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    page = await ask(browser, app, scope="openid projects:read billing:read")
    assert "invoices" not in page.text
    await flow.execute(tenant, "UPDATE users SET roles = '{owner}' WHERE id = :u", u=user.id)
    assert answer_of(await decide(browser, page))["code"]
    row = await flow.execute(tenant, "SELECT scopes FROM oauth_codes")
    assert row.scopes == ["openid", "projects:read"]


async def test_a_form_cannot_be_made_to_grant_more(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    page = await ask(browser, app, scope="openid projects:read")
    await decide(browser, page, scopes="openid projects:read projects:write billing:read")
    assert (await flow.execute(tenant, "SELECT scopes FROM oauth_codes")).scopes == ["openid", "projects:read"]
    assert (await flow.execute(tenant, "SELECT scopes FROM oauth_consents")).scopes == ["openid", "projects:read"]


@pytest.mark.parametrize("decision", ["", "yes", "ALLOW", "deny"])
async def test_only_allow_allows(flow: Flow, shared_tenant: Tenant, decision: str) -> None:
    _, browser = await flow.person(shared_tenant)
    page = await ask(browser, await flow.app(shared_tenant))
    assert answer_of(await decide(browser, page, decision))["error"] == "access_denied"


async def test_the_form_of_who_signed_out_meanwhile_leads_to_the_sign_in_page(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    page = await ask(browser, await flow.app(tenant))
    await flow.execute(tenant, "UPDATE sessions SET ended_at = now()")
    response = await decide(browser, page)
    assert response.status_code == 303
    assert response.headers["location"].startswith("/signin?return_to=%2Foauth2%2Fauthorize")


async def test_the_consent_page_cannot_be_framed_nor_made_to_send_its_form_elsewhere(
    flow: Flow, tenant: Tenant
) -> None:
    _, browser = await flow.person(tenant)
    page = await ask(browser, await flow.app(tenant))
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' https:" in policy
    assert "unsafe-inline" not in policy
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["cache-control"] == "no-store"


async def test_a_name_cannot_write_into_the_page(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    page = await ask(browser, await flow.app(tenant, name='<script>alert("1")</script>'))
    assert "<script>" not in page.text


async def test_what_a_client_sends_reaches_no_other_place_by_the_sign_in_page(flow: Flow, tenant: Tenant) -> None:
    app = await flow.app(tenant)
    response = await ask(flow.browser(tenant), app, state="//evil.example", return_to="https://evil.example/")
    location = response.headers["location"]
    assert location.startswith("/signin?return_to=%2Foauth2%2Fauthorize%3F")
    assert "evil.example" not in location.partition("&")[2]


async def test_codes_are_never_the_same(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    await allow(browser, app)
    codes = {answer_of(await ask(browser, app))["code"] for _ in range(20)}
    assert len(codes) == 20
    assert all(len(code) == 43 for code in codes)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"a=1&" * 40, "application/x-www-form-urlencoded"),
        (b"a=%ff", "application/x-www-form-urlencoded"),
        (b"a=" + b"x" * 40_000, "application/x-www-form-urlencoded"),
        (b'{"a": 1}', "application/json"),
    ],
)
async def test_a_form_that_is_none(flow: Flow, shared_tenant: Tenant, content: bytes, kind: str) -> None:
    browser = flow.browser(shared_tenant)
    assert_page(await browser.http.post(AUTHORIZE, content=content, headers={"Content-Type": kind}))
