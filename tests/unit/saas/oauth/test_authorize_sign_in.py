"""Who has to sign in before a client gets its code, and when again."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from httpx import Response

from tenants.registry import Tenant
from tests.unit.saas.identity.world import EMAIL, PASSWORD
from tests.unit.saas.oauth.flow import AUTHORIZE, Flow, allow, answer_of, ask, decide


def return_address(response: Response) -> str:
    """Where the sign-in page leads back to."""
    assert response.status_code in {302, 303}
    parts = urlsplit(response.headers["location"])
    assert (parts.scheme, parts.netloc, parts.path) == ("", "", "/signin")
    return dict(parse_qsl(parts.query))["return_to"]


async def test_who_is_not_signed_in_signs_in_and_comes_back(flow: Flow, tenant: Tenant) -> None:
    await flow.people.add_user(tenant, EMAIL)
    browser, app = flow.browser(tenant), await flow.app(tenant)
    response = await ask(browser, app, login_hint=EMAIL, state="a&b=c d")
    back = return_address(response)
    assert back.startswith(f"{AUTHORIZE}?")
    assert dict(parse_qsl(urlsplit(response.headers["location"]).query))["login_hint"] == EMAIL
    page = await browser.get(response.headers["location"])
    assert "to continue to <strong>Notes</strong>" in page.text
    assert f'value="{EMAIL}"' in page.text
    signed_in = await browser.post(page.request.url.raw_path.decode(), email=EMAIL, password=PASSWORD)
    assert signed_in.status_code == 200
    assert f'content="0;url={back.replace("&", "&amp;")}"' in signed_in.text
    answer = answer_of(await decide(browser, await browser.get(back)))
    assert answer["code"]
    assert answer["state"] == "a&b=c d"


@pytest.mark.parametrize("changed", [{"prompt": "login"}, {"max_age": "0"}, {"prompt": "login consent"}])
async def test_who_is_to_sign_in_anew_does_so_once(flow: Flow, tenant: Tenant, changed: dict[str, str]) -> None:
    user = await flow.people.add_user(tenant, EMAIL)
    browser, app = flow.browser(tenant), await flow.app(tenant)
    browser.cookie = await flow.session_of(tenant, user.id)
    response = await ask(browser, app, **changed)
    back = return_address(response)
    assert return_address(await browser.get(back))  # to come back is not enough
    await browser.submit(response.headers["location"], email=EMAIL, password=PASSWORD)
    page = await browser.get(back)
    assert page.status_code == 200
    assert answer_of(await decide(browser, page))["code"]
    assert return_address(await ask(browser, app, **changed))  # but for this request alone


async def test_a_sign_in_for_one_request_is_none_for_another(flow: Flow, tenant: Tenant) -> None:
    user = await flow.people.add_user(tenant, EMAIL)
    browser = flow.browser(tenant)
    browser.cookie = await flow.session_of(tenant, user.id)
    one, other = await flow.app(tenant, first_party=True), await flow.app(tenant, first_party=True)
    response = await ask(browser, one, prompt="login")
    since = dict(parse_qsl(urlsplit(return_address(response)).query))["signed_in_since"]
    await browser.submit(response.headers["location"], email=EMAIL, password=PASSWORD)
    assert return_address(await ask(browser, other, prompt="login", signed_in_since=since))
    assert return_address(await ask(browser, one, prompt="login", signed_in_since=since[:-4] + "AAAA"))
    assert answer_of(await ask(browser, one, prompt="login", signed_in_since=since))["code"]


async def test_how_long_ago_somebody_signed_in(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant, first_party=True)
    assert answer_of(await ask(browser, app, max_age="60"))["code"]
    await flow.execute(tenant, "UPDATE sessions SET authenticated_at = authenticated_at - interval '2 minutes'")
    assert return_address(await ask(browser, app, max_age="60"))
    assert answer_of(await ask(browser, app, max_age="180"))["code"]
    assert answer_of(await ask(browser, app))["code"]


async def test_a_session_that_is_used_here_is_noted_as_used(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant, first_party=True)
    await flow.execute(
        tenant, "UPDATE sessions SET last_seen_at = now() - interval '5 minutes', updated_at = last_seen_at"
    )
    assert answer_of(await ask(browser, app))["code"]
    row = await flow.execute(tenant, "SELECT now() - last_seen_at AS seen, now() - updated_at AS updated FROM sessions")
    assert row.seen.total_seconds() < 60
    assert row.updated.total_seconds() < 60


async def test_no_page_where_none_may_be_shown(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    nobody = flow.browser(tenant)
    for who, changed, error in (
        (nobody, {}, "login_required"),
        (browser, {"max_age": "0"}, "login_required"),
        (browser, {}, "consent_required"),
    ):
        answer = answer_of(await ask(who, app, prompt="none", **changed))
        assert (answer["error"], answer["state"], answer["iss"]) == (error, app.state, tenant.issuer)
    await allow(browser, app)
    assert answer_of(await ask(browser, app, prompt="none"))["code"]
