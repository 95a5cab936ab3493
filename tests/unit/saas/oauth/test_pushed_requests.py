"""Authorization requests that a client pushes beforehand (RFC 9126)."""

import asyncio
import re
from collections import Counter
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pytest

from tenants.registry import Tenant
from tests.factories import CALLBACK
from tests.unit.saas.identity.world import Browser
from tests.unit.saas.oauth.conftest import assert_refused
from tests.unit.saas.oauth.flow import AUTHORIZE, TOKEN, App, Flow, answer_of, decide

PAR = "/oauth2/par"
REFERENCE = re.compile(r"urn:ietf:params:oauth:request_uri:[A-Za-z0-9_-]{43}")


@pytest.fixture
async def app(flow: Flow, tenant: Tenant) -> App:
    return await flow.app(tenant)


async def push(flow: Flow, tenant: Tenant, app: App, **changed: str | None) -> httpx.Response:
    """As a client does it that has read the metadata."""
    http = flow.browser(tenant).http
    endpoint = (await http.get("/.well-known/openid-configuration")).json()["pushed_authorization_request_endpoint"]
    form = app.request(**changed)
    if app.secret and "client_secret" not in changed:
        form["client_secret"] = app.secret
    return await http.post(endpoint, data=form)


async def reference_to(flow: Flow, tenant: Tenant, app: App, **changed: str | None) -> str:
    answer = await push(flow, tenant, app, **changed)
    assert answer.status_code == 201, answer.text
    reference: str = answer.json()["request_uri"]
    return reference


async def bring(browser: Browser, app: App, reference: str, **more: str) -> httpx.Response:
    query = urlencode({"client_id": app.client_id, "request_uri": reference, **more})
    return await browser.get(f"{AUTHORIZE}?{query}")


def assert_error_page(answer: httpx.Response) -> None:
    assert (answer.status_code, "location" in answer.headers) == (400, False)
    assert "This link does not work" in answer.text


async def age(flow: Flow, tenant: Tenant, seconds: int) -> None:
    earlier = "- make_interval(secs => :s)"
    moved = f"created_at = created_at {earlier}, expires_at = expires_at {earlier}"
    await flow.execute(tenant, f"UPDATE oauth_pushed_requests SET {moved}", s=seconds)


async def test_a_pushed_request_through_sign_in_and_consent_to_tokens(flow: Flow, tenant: Tenant, app: App) -> None:
    await flow.people.add_user(tenant)
    pushed = await push(flow, tenant, app, nonce="n-1")
    assert pushed.status_code == 201
    assert pushed.headers["cache-control"] == "no-store"
    reference = pushed.json()["request_uri"]
    assert REFERENCE.fullmatch(reference)
    assert pushed.json() == {"request_uri": reference, "expires_in": 90}
    browser = flow.browser(tenant)
    to_sign_in = await bring(browser, app, reference)
    back = parse_qs(urlsplit(to_sign_in.headers["location"]).query)["return_to"][0]
    assert dict(parse_qsl(urlsplit(back).query)) == {"client_id": app.client_id, "request_uri": reference}
    await browser.sign_in()
    await age(flow, tenant, 600)  # the person took longer to sign in than the client had to begin
    assert (await browser.get(back)).status_code == 200
    page = await browser.get(back)  # a reload
    assert page.status_code == 200
    answer = answer_of(await decide(browser, page))
    assert (answer["state"], answer["iss"]) == (app.state, tenant.issuer)
    tokens = await browser.http.post(TOKEN, data=app.redemption(answer["code"]))
    assert tokens.status_code == 200, tokens.text
    assert tokens.json()["scope"] == "openid offline_access projects:read"
    assert_error_page(await browser.get(back))
    assert (await flow.execute(tenant, "SELECT count(*) FROM oauth_pushed_requests"))[0] == 0


async def test_beside_a_reference_no_parameter_counts(flow: Flow, tenant: Tenant, app: App) -> None:
    _, browser = await flow.person(tenant)
    reference = await reference_to(flow, tenant, app)
    other = {"scope": "billing:read", "state": "mine", "redirect_uri": "https://evil.example/", "prompt": "none"}
    page = await bring(browser, app, reference, **other)
    assert page.status_code == 200
    assert "See projects" in page.text
    assert "See invoices" not in page.text
    assert "notes.example" in page.text
    assert answer_of(await decide(browser, page))["state"] == app.state


async def test_a_fresh_sign_in_can_be_pushed_too(flow: Flow, tenant: Tenant, app: App) -> None:
    await flow.people.add_user(tenant)
    browser = flow.browser(tenant)
    await browser.sign_in()
    reference = await reference_to(flow, tenant, app, prompt="login", login_hint="ann@people.example")
    redirect = await bring(browser, app, reference)
    query = parse_qs(urlsplit(redirect.headers["location"]).query)
    assert query["login_hint"] == ["ann@people.example"]
    await browser.sign_in()
    page = await browser.get(query["return_to"][0])
    assert page.status_code == 200
    assert "code" in answer_of(await decide(browser, page))


@pytest.mark.parametrize("end", ["denied", "login_required"])
async def test_an_error_is_an_answer_too(flow: Flow, tenant: Tenant, app: App, end: str) -> None:
    _, browser = await flow.person(tenant)
    if end == "denied":
        reference = await reference_to(flow, tenant, app)
        answer = await decide(browser, await bring(browser, app, reference), "deny")
        assert answer_of(answer)["error"] == "access_denied"
    else:
        reference = await reference_to(flow, tenant, app, prompt="none")
        assert answer_of(await bring(flow.browser(tenant), app, reference))["error"] == "login_required"
    assert_error_page(await bring(browser, app, reference))


async def test_references_expire(flow: Flow, tenant: Tenant, app: App) -> None:
    _, browser = await flow.person(tenant)
    reference = await reference_to(flow, tenant, app)
    await age(flow, tenant, 91)
    assert_error_page(await bring(browser, app, reference))
    opened = await reference_to(flow, tenant, app)
    page = await bring(browser, app, opened)
    await age(flow, tenant, 3601)
    assert_error_page(await decide(browser, page))


async def test_a_reference_is_of_its_client_and_its_tenant(
    flow: Flow, tenant: Tenant, other_tenant: Tenant, app: App
) -> None:
    _, browser = await flow.person(tenant)
    _, stranger = await flow.person(other_tenant)
    reference = await reference_to(flow, tenant, app)
    thief, elsewhere = await flow.app(tenant), await flow.app(other_tenant)
    for person, client in ((browser, thief), (stranger, elsewhere), (stranger, app)):
        assert_error_page(await bring(person, client, reference))
    assert_error_page(await browser.get(f"{AUTHORIZE}?{urlencode({'request_uri': reference})}"))
    twice = f"client_id={app.client_id}&client_id={app.client_id}&request_uri={reference}"
    assert_error_page(await browser.get(f"{AUTHORIZE}?{twice}"))
    for wrong in (reference + "x", reference[:-1], reference.upper(), reference[:-43]):
        assert (await bring(browser, app, wrong)).status_code == 400
    assert (await bring(browser, app, reference)).status_code == 200


async def test_of_answers_at_the_same_time_one_has_a_code(flow: Flow, tenant: Tenant, app: App) -> None:
    _, browser = await flow.person(tenant)
    await decide(browser, await bring(browser, app, await reference_to(flow, tenant, app)))  # consent is remembered
    reference = await reference_to(flow, tenant, app)
    answers = await asyncio.gather(*(bring(browser, app, reference) for _ in range(20)))
    assert Counter(answer.status_code for answer in answers) == {302: 1, 400: 19}
    assert (await flow.execute(tenant, "SELECT count(*) FROM oauth_codes"))[0] == 2


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"redirect_uri": None}, "invalid_request"),
        ({"redirect_uri": CALLBACK + "/more"}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/callback"}, "invalid_request"),
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"scope": "openid made:up"}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:" + "a" * 43}, "invalid_request"),
    ],
)
async def test_what_the_authorization_endpoint_would_refuse_is_refused_at_once(
    flow: Flow, shared_tenant: Tenant, changed: dict[str, str | None], error: str
) -> None:
    app = await flow.app(shared_tenant)
    assert_refused(await push(flow, shared_tenant, app, **changed), 400, error)
    assert await flow.execute(shared_tenant, "SELECT 1 FROM oauth_pushed_requests") is None


async def test_a_client_must_be_who_it_says(flow: Flow, tenant: Tenant, other_tenant: Tenant, app: App) -> None:
    assert_refused(await push(flow, tenant, app, client_secret="wrong"), 401, "invalid_client")
    assert_refused(await push(flow, tenant, app, client_secret=None), 401, "invalid_client")
    assert_refused(await push(flow, other_tenant, app), 401, "invalid_client")
    assert_refused(await push(flow, tenant, app, client_id=None), 401, "invalid_client")


async def test_public_clients_push_with_a_free_loopback_port(flow: Flow, tenant: Tenant) -> None:
    native = await flow.app(tenant, auth_method="none", redirect_uris=["http://127.0.0.1/callback"])
    _, browser = await flow.person(tenant)
    here = "http://127.0.0.1:51004/callback"
    reference = await reference_to(flow, tenant, native, redirect_uri=here)
    answer = answer_of(await decide(browser, await bring(browser, native, reference)), here)
    redemption = native.redemption(answer["code"], redirect_uri=here)
    assert (await browser.http.post(TOKEN, data=redemption)).status_code == 200


async def test_no_secret_is_kept_and_the_reference_is_a_digest(flow: Flow, tenant: Tenant, app: App) -> None:
    reference = await reference_to(flow, tenant, app)
    row = await flow.execute(tenant, "SELECT oauth_pushed_requests::text, digest FROM oauth_pushed_requests")
    assert len(row[1]) == 32
    assert app.secret not in row[0]
    assert reference not in row[0]
