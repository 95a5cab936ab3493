"""From a client's request to its code: who is asked for what, and what the client is told."""

from urllib.parse import quote

import pytest

from tenants.registry import Tenant
from tests.unit.saas.oauth.conftest import decode
from tests.unit.saas.oauth.flow import (
    ALL,
    AUTHORIZE,
    CATALOGUE,
    TOKEN,
    Flow,
    allow,
    answer_of,
    ask,
    code_of,
    decide,
    statements_of,
    tokens_of,
)

NOT_SENSITIVE = [scope.name for scope in CATALOGUE if not scope.sensitive]


async def test_a_code_and_what_it_yields(flow: Flow, tenant: Tenant) -> None:
    user, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    response = await allow(browser, app, nonce="n-1")
    answer = answer_of(response)
    assert answer.keys() == {"code", "state", "iss"}
    assert (answer["state"], answer["iss"]) == (app.state, tenant.issuer)
    assert response.headers["cache-control"] == "no-store"
    response = await browser.http.post(TOKEN, data=app.redemption(answer["code"]))
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    tokens = response.json()
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token"}
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 600)
    assert tokens["scope"] == "openid offline_access projects:read"
    claims = (await decode(browser.http, tokens["access_token"])).claims
    session = await flow.execute(tenant, "SELECT id, authenticated_at FROM sessions WHERE user_id = :u", u=user.id)
    assert claims["sub"] == str(user.id)
    assert claims["sid"] == str(session.id)
    assert claims["auth_time"] == int(session.authenticated_at.timestamp())
    assert claims["amr"] == ["pwd"]
    assert claims["aud"] == claims["iss"] == tenant.issuer
    assert claims["client_id"] == app.client_id
    family = await flow.execute(tenant, "SELECT id FROM oauth_refresh_families WHERE user_id = :u", u=user.id)
    assert claims["gid"] == str(family.id)


async def test_who_asks_for_headers_alone_gets_no_code(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant, first_party=True)
    assert (await browser.http.head(AUTHORIZE, params=app.request())).status_code == 405
    assert (await flow.execute(tenant, "SELECT count(*) FROM oauth_codes"))[0] == 0


async def test_neither_codes_nor_refresh_tokens_are_stored_as_they_are(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    code = await code_of(browser, app)
    token = (await browser.http.post(TOKEN, data=app.redemption(code))).json()["refresh_token"]
    await browser.http.post(TOKEN, data=app.refresh(token))
    for table in ("oauth_codes", "oauth_refresh_families"):
        dump = str(await flow.execute(tenant, f"SELECT jsonb_agg(t)::text FROM {table} t"))
        for secret in (code, *token.split(".")):
            assert secret not in dump
            assert secret.encode().hex() not in dump


async def test_consent_is_remembered_and_only_new_scopes_ask_again(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    page = await ask(browser, app, scope="openid projects:read")
    assert page.status_code == 200
    assert "Allow Notes?" in page.text
    assert "See projects" in page.text
    assert "notes.example" in page.text
    assert "badge" not in page.text
    assert answer_of(await decide(browser, page))["code"]
    for fewer in ("openid projects:read", "projects:read", "openid"):
        assert answer_of(await ask(browser, app, scope=fewer))["code"]
    page = await ask(browser, app, scope="openid projects:read projects:write")
    assert page.status_code == 200
    assert page.text.count(">New<") == 1
    assert answer_of(await decide(browser, page))["code"]
    assert answer_of(await ask(browser, app, scope="openid projects:write"))["code"]
    other = await flow.app(tenant)
    assert (await ask(browser, other, scope="openid")).status_code == 200


async def test_consent_is_one_persons(flow: Flow, tenant: Tenant) -> None:
    _, ann = await flow.person(tenant)
    _, bob = await flow.person(tenant)
    app = await flow.app(tenant)
    await allow(ann, app)
    assert (await ask(bob, app)).status_code == 200


async def test_sensitive_scopes_are_marked(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant, roles=["owner"])
    page = await ask(browser, await flow.app(tenant), scope="projects:read billing:read")
    assert page.text.count("Sensitive") == 1


async def test_first_party_apps_do_not_ask_unless_they_want_to(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant, first_party=True)
    assert answer_of(await ask(browser, app))["code"]
    assert (await ask(browser, app, prompt="consent")).status_code == 200


async def test_a_denial(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    response = await decide(browser, await ask(browser, app), "deny")
    assert response.status_code == 303
    answer = answer_of(response)
    assert (answer["error"], answer["state"], answer["iss"]) == ("access_denied", app.state, tenant.issuer)
    assert "code" not in answer
    assert (await ask(browser, app)).status_code == 200  # nothing is remembered
    assert (await flow.execute(tenant, "SELECT count(*) FROM oauth_codes"))[0] == 0


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "nonsense"}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"request": "x"}, "request_not_supported"),
    ],
)
async def test_a_client_hears_what_is_wrong(
    flow: Flow, shared_tenant: Tenant, changed: dict[str, str | None], error: str
) -> None:
    _, browser = await flow.person(shared_tenant)
    app = await flow.app(shared_tenant)
    response = await ask(browser, app, **changed)
    answer = answer_of(response)
    assert (answer["error"], answer["state"], answer["iss"]) == (error, app.state, shared_tenant.issuer)
    assert set(answer) <= {"error", "error_description", "state", "iss"}


async def test_repeated_parameters_are_refused(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    good = "&".join(f"{name}={quote(value, safe='')}" for name, value in app.request().items())
    for name in ("client_id", "redirect_uri"):
        response = await browser.get(f"{AUTHORIZE}?{good}&{name}=x")
        assert response.status_code == 400
        assert "location" not in response.headers
    for name in ("scope", "state", "code_challenge", "anything=1&anything"):
        answer = answer_of(await browser.get(f"{AUTHORIZE}?{good}&{name}=x"))
        assert answer["error"] == "invalid_request"
        assert ("state" in answer) is (name != "state")


async def test_a_client_without_the_grant(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    await flow.execute(tenant, "UPDATE oauth_clients SET grant_types = '{client_credentials}'")
    assert answer_of(await ask(browser, app))["error"] == "unauthorized_client"


async def test_a_request_by_post(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant, first_party=True)
    response = await browser.http.post(AUTHORIZE, data=app.request(state="\u00e9 &"))
    assert response.status_code == 303
    assert response.headers["location"].startswith(f"{AUTHORIZE}?")
    answer = answer_of(await browser.get(response.headers["location"]))
    assert (answer["state"], "code" in answer) == ("\u00e9 &", True)


@pytest.mark.parametrize(
    ("roles", "scope"),
    [
        (["owner"], ALL),
        (["admin"], ALL),
        (["member"], " ".join(NOT_SENSITIVE)),
        (["auditor"], "openid profile email offline_access billing:read"),
        (["auditor", "member"], " ".join([*NOT_SENSITIVE, "billing:read"])),
    ],
)
async def test_nobody_gives_more_than_their_roles_give_them(
    flow: Flow, tenant: Tenant, roles: list[str], scope: str
) -> None:
    await flow.execute(
        tenant,
        "INSERT INTO roles (name, description, scopes, created_at, updated_at) "
        "VALUES ('auditor', '', '{billing:read,gone:scope}', now(), now())",
    )
    _, browser = await flow.person(tenant, roles=roles)
    tokens = await tokens_of(browser, await flow.app(tenant), scope=ALL)
    assert tokens["scope"] == scope
    assert (await decode(browser.http, tokens["access_token"])).claims["scope"] == scope


async def test_who_can_give_nothing_of_it_denies(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    answer = answer_of(await ask(browser, await flow.app(tenant), scope="billing:read"))
    assert answer["error"] == "access_denied"


@pytest.mark.parametrize(
    ("grants", "scope"),
    [(["authorization_code"], "openid offline_access"), (["authorization_code", "refresh_token"], "openid")],
)
async def test_a_refresh_token_needs_the_grant_and_the_scope(
    flow: Flow, tenant: Tenant, grants: list[str], scope: str
) -> None:
    _, browser = await flow.person(tenant)
    tokens = await tokens_of(browser, await flow.app(tenant, grant_types=grants), scope=scope)
    assert "refresh_token" not in tokens
    assert tokens["scope"] == "openid"
    assert "gid" in (await decode(browser.http, tokens["access_token"])).claims


async def test_public_clients_name_themselves_and_no_more(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant, auth_method="none", redirect_uris=["http://127.0.0.1/cb"])
    assert app.secret == ""
    at = "http://127.0.0.1:51004/cb"
    answer = answer_of(await allow(browser, app, redirect_uri=at), at)
    response = await browser.http.post(TOKEN, data=app.redemption(answer["code"], redirect_uri=at))
    assert response.status_code == 200
    refreshed = await browser.http.post(TOKEN, data=app.refresh(response.json()["refresh_token"]))
    assert refreshed.status_code == 200


async def test_the_consent_page_says_that_an_app_on_the_device_gets_the_answer(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    for uri in ("http://127.0.0.1/cb", "com.example.app:/cb"):
        app = await flow.app(tenant, auth_method="none", redirect_uris=[uri])
        page = await ask(browser, app)
        assert "an app on this device" in page.text
        assert answer_of(await decide(browser, page), uri)["code"]


async def test_what_the_hot_path_costs(flow: Flow, tenant: Tenant) -> None:
    """With a session and a remembered consent: BEGIN, one SELECT, one INSERT, COMMIT; as few for a redemption."""
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    tokens = await tokens_of(browser, app)
    sent: list[str] = []
    async with statements_of(flow, sent):
        answer = answer_of(await ask(browser, app))
    assert [statement.split(" ")[0] for statement in sent] == ["BEGIN;", "SELECT", "INSERT", "COMMIT"]
    sent.clear()
    async with statements_of(flow, sent):
        assert (await browser.http.post(TOKEN, data=app.redemption(answer["code"]))).status_code == 200
    assert [statement.split(" ")[0] for statement in sent] == ["BEGIN;", "SELECT", "WITH", "COMMIT"]
    sent.clear()
    async with statements_of(flow, sent):
        assert (await browser.http.post(TOKEN, data=app.refresh(tokens["refresh_token"]))).status_code == 200
    assert [statement.split(" ")[0] for statement in sent] == ["BEGIN;", "SELECT", "UPDATE", "COMMIT"]
