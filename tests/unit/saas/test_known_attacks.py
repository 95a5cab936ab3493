"""Attacks of RFC 9700 on the whole application, where parts could each be right and their sum wrong."""

import re
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlencode

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from saas.services import Services
from tenants.registry import Tenant
from tests.conftest import MakeTenant
from tests.unit.saas.oauth.flow import AUTHORIZE, TOKEN, allow, answer_of, ask, code_of, decide
from tests.unit.saas.side import Side, furnish

ELSEWHERE = ("https://evil.example/", "//evil.example", "/\\evil.example", "https:evil.example", "/%0d/evil.example")
BROWSER = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
async def side(services: Services, app: FastAPI, make_tenant: MakeTenant) -> AsyncIterator[Side]:
    side = await furnish(services, app, await make_tenant())
    yield side
    await side.browser.http.aclose()


def paths(app: FastAPI) -> list[str]:
    """Of all that can be looked at, with nothing of worth in place of their parameters."""
    found = {each.path for each in iter_route_contexts(app.routes) if each.path and "GET" in (each.methods or ())}
    return sorted(path.split("{")[0] + "x" if "{" in path else path for path in found)


async def test_nothing_can_be_framed(
    app: FastAPI, side: Side, client_of: Callable[[Tenant], httpx.AsyncClient]
) -> None:
    """Clickjacking (RFC 9700 section 4.16), signed in or not, be it a page, an error or a redirect."""
    stranger = client_of(side.tenant)
    for path in [*paths(app), "/nothing/here", f"{AUTHORIZE}?{urlencode(side.app.request(prompt='consent'))}"]:
        for http in (side.browser.http, stranger):
            answer = await http.get(path, headers=BROWSER)
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], path
            assert answer.headers["x-frame-options"] == "DENY", path
            assert answer.headers["x-content-type-options"] == "nosniff", path
            assert "unsafe-inline" not in answer.headers["content-security-policy"], path


async def test_no_address_of_ours_leads_elsewhere(app: FastAPI, side: Side) -> None:
    """Open redirectors (section 4.11): whatever is asked for, by whichever name."""
    names = ("return_to", "next", "url", "redirect_uri", "post_logout_redirect_uri", "target_link_uri")
    for path in paths(app):
        for place in ELSEWHERE:
            query = urlencode({**dict.fromkeys(names, place), "client_id": side.app.client_id})
            answer = await side.browser.http.get(f"{path}?{query}", headers=BROWSER)
            location = answer.headers.get("location", "/")
            # Browsers drop control characters, and take a backslash for a slash.
            assert re.match(r"/(?![/\\])[!-\[\]-~]*$", location), (path, location)
            assert "url=https://evil" not in answer.text


@pytest.mark.parametrize(
    "changed",
    [
        {"scope": "nonsense"},
        {"response_type": "token"},
        {"code_challenge": None},
        {"code_challenge_method": "plain"},
        {"prompt": "none", "max_age": "0"},
        {"response_mode": "fragment"},
    ],
    ids=str,
)
async def test_every_answer_to_a_client_names_its_issuer(side: Side, changed: dict[str, str | None]) -> None:
    """Mix-up (section 4.4): so a client of several issuers notices whose answer it is (RFC 9207)."""
    document = (await side.browser.get("/.well-known/openid-configuration")).json()
    assert document["authorization_response_iss_parameter_supported"] is True
    denied = await decide(side.browser, await ask(side.browser, side.app, prompt="consent"), "deny")
    allowed = await allow(side.browser, side.app, prompt="consent")
    for response in (denied, allowed, await ask(side.browser, side.app, **changed)):
        assert answer_of(response)["iss"] == document["issuer"] == side.tenant.issuer


async def test_a_code_is_bound_to_its_challenge_whatever_is_sent_with_it(side: Side) -> None:
    """PKCE downgrade (section 4.8.2): there is no code without a challenge, so none is redeemed without a verifier."""
    for without in ({"code_challenge": None}, {"code_challenge_method": "plain"}, {"code_challenge_method": None}):
        assert answer_of(await ask(side.browser, side.app, **without))["error"] == "invalid_request"
    for verifier in (None, side.app.challenge, "x" * 43):
        code = await code_of(side.browser, side.app)
        form = side.app.redemption(code, code_verifier=verifier, code_challenge_method="plain")
        answer = await side.browser.http.post(TOKEN, data=form)
        assert answer.status_code == 400
        assert answer.json()["error"] in {"invalid_request", "invalid_grant"}


async def test_whether_a_client_exists_is_not_told(side: Side) -> None:
    """The token endpoint says the same of an unknown client and of a wrong secret."""
    answers = [
        await side.browser.http.post(TOKEN, data={"grant_type": "refresh_token", "refresh_token": "x.y"}, auth=auth)
        for auth in ((side.app.client_id, "wrong"), ("app_nobody", "wrong"))
    ]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].json() == answers[1].json()
