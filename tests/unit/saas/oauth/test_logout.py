"""RP-initiated logout: who is believed, who is asked, and where one ends up."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from joserfc import jwt

from saas.identity.cookies import cookie_name
from tenants.registry import Tenant
from tests.unit.saas.identity.world import Browser
from tests.unit.saas.oauth.flow import App, Flow, tokens_of

LOGOUT = "/oauth2/logout"
BACK = "https://notes.example/bye?from=us"


@pytest.fixture
async def app(flow: Flow, tenant: Tenant) -> App:
    return await flow.app(tenant, post_logout_redirect_uris=[BACK])


async def _hint(browser: Browser, app: App) -> str:
    return str((await tokens_of(browser, app, scope="openid"))["id_token"])


async def _go(browser: Browser, **parameters: str) -> httpx.Response:
    return await browser.get(f"{LOGOUT}?{urlencode(parameters)}")


def _is_back(answer: httpx.Response, query: str = "") -> None:
    assert (answer.status_code, answer.headers["location"]) == (303, BACK + query)
    assert any("session=" in line and "Max-Age=0" in line for line in answer.headers.get_list("set-cookie"))


def _asks(answer: httpx.Response) -> None:
    assert answer.status_code == 200
    assert "Sign out?" in answer.text


async def test_a_client_that_means_this_very_session_is_believed(flow: Flow, tenant: Tenant, app: App) -> None:
    _, browser = await flow.person(tenant)
    cookie = browser.cookie
    hint = await _hint(browser, app)
    answer = await _go(
        browser, id_token_hint=hint, post_logout_redirect_uri=BACK, state="a b&c", client_id=app.client_id
    )
    _is_back(answer, "&state=a+b%26c")
    assert browser.cookie is None
    browser.cookie = cookie or ""
    assert not await browser.is_signed_in()
    again = await _go(browser, id_token_hint=hint, post_logout_redirect_uri=BACK)
    _is_back(again)  # who is signed out already goes back at once


async def test_without_an_address_to_go_to_a_page_says_that_it_is_done(flow: Flow, tenant: Tenant, app: App) -> None:
    _, browser = await flow.person(tenant)
    answer = await _go(browser, id_token_hint=await _hint(browser, app))
    assert answer.status_code == 200
    assert "You are signed out" in answer.text
    assert browser.cookie is None


async def test_an_expired_hint_is_a_hint(flow: Flow, tenant: Tenant, app: App) -> None:
    _, browser = await flow.person(tenant)
    claims = await _claims(flow, tenant, await _hint(browser, app))
    claims["exp"] = claims["iat"] - timedelta(days=3).days * 86_400
    hint = (await flow.people.services.keys.ring(tenant)).signer().sign("JWT", claims)
    _is_back(await _go(browser, id_token_hint=hint, post_logout_redirect_uri=BACK))


async def _claims(flow: Flow, tenant: Tenant, token: str) -> dict[str, Any]:
    ring = await flow.people.services.keys.ring(tenant)
    key = ring.verification_key(ring.signer().kid)
    assert key is not None
    return dict(jwt.decode(token, key, algorithms=["ES256"]).claims)


async def test_without_a_hint_the_person_is_asked(flow: Flow, tenant: Tenant, app: App) -> None:
    _, browser = await flow.person(tenant)
    parameters = {"client_id": app.client_id, "post_logout_redirect_uri": BACK, "state": "s"}
    page = await _go(browser, **parameters)
    _asks(page)
    assert "Notes" in page.text
    assert "https:" in page.headers["content-security-policy"].partition("form-action")[2]
    address = f"{LOGOUT}?{urlencode(parameters)}"
    assert (await browser.post(address, decision="stay")).headers["location"] == "/account"
    assert await browser.is_signed_in()
    await browser.get(address)
    _is_back(await browser.post(address, decision="signout"), "&state=s")
    assert browser.cookie is None


async def test_the_confirmation_takes_no_form_of_another_site(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    await browser.get(LOGOUT)
    assert (await browser.http.post(LOGOUT, data={"decision": "signout"})).status_code == 403
    elsewhere = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    form = {"decision": "signout", "csrf": browser.token}
    assert (await browser.http.post(LOGOUT, data=form, headers=elsewhere)).status_code == 403
    assert await browser.is_signed_in()


async def test_hints_that_prove_nothing_ask_and_lead_nowhere_by_themselves(
    flow: Flow, tenant: Tenant, other_tenant: Tenant, app: App
) -> None:
    _, browser = await flow.person(tenant)
    tokens = await tokens_of(browser, app, scope="openid")
    ring = await flow.people.services.keys.ring(tenant)
    claims = await _claims(flow, tenant, tokens["id_token"])
    _, attacker = await flow.person(tenant)
    other_app = await flow.app(tenant)
    _, stranger = await flow.person(other_tenant)
    foreign = await flow.app(other_tenant)
    other_ring = await flow.people.services.keys.ring(other_tenant)
    hints = {
        "another person's": await _hint(attacker, app),
        "another tenant's": await _hint(stranger, foreign),
        "signed by another tenant": other_ring.signer().sign("JWT", claims),
        "of another session": ring.signer().sign("JWT", {**claims, "sid": "x"}),
        "of another issuer": ring.signer().sign("JWT", {**claims, "iss": other_tenant.issuer}),
        "an access token": tokens["access_token"],
        "a logout token": ring.signer().sign("logout+jwt", claims),
        "changed": tokens["id_token"][:-6] + "AAAAAA",
        "nonsense": "a.b.c",
        "unsigned": "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + tokens["id_token"].split(".")[1] + ".",
    }
    for what, hint in hints.items():
        answer = await _go(browser, id_token_hint=hint)
        assert "Sign out?" in answer.text, what
        assert await browser.is_signed_in(), what
    _asks(await _go(browser, id_token_hint=tokens["id_token"], client_id=other_app.client_id))


@pytest.mark.parametrize(
    "uri",
    [
        "https://notes.example/bye",
        BACK + "#x",
        BACK + "&more=1",
        "https://notes.example:444/bye?from=us",
        "https://NOTES.example/bye?from=us",
        "https://evil.example/",
        "//evil.example",
        "javascript:alert(1)",
    ],
)
async def test_an_address_that_is_not_registered_is_an_error_page(
    flow: Flow, tenant: Tenant, app: App, uri: str
) -> None:
    _, browser = await flow.person(tenant)
    hint = await _hint(browser, app)
    for parameters in ({"id_token_hint": hint}, {"client_id": app.client_id}, {}):
        answer = await _go(browser, post_logout_redirect_uri=uri, **parameters)
        assert answer.status_code == 400
        assert "location" not in answer.headers
        assert uri not in answer.text
    assert await browser.is_signed_in()


async def test_a_clients_post_is_sent_on_as_a_get(flow: Flow, tenant: Tenant, app: App) -> None:
    """Since with a form of another site browsers do not send our cookie."""
    _, browser = await flow.person(tenant)
    parameters = {"id_token_hint": await _hint(browser, app), "post_logout_redirect_uri": BACK}
    cookie = browser.cookie
    browser.http.cookies.delete(cookie_name(tenant))
    answer = await browser.http.post(LOGOUT, data=parameters)
    assert answer.status_code == 303
    browser.cookie = cookie or ""
    _is_back(await browser.get(answer.headers["location"]))
