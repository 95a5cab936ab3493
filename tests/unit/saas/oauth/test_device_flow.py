"""A device without a browser, and the person who lets it in with theirs."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from saas.authserver.device import GRANT_TYPE
from tenants.registry import Tenant
from tests.factories import AppFactory
from tests.unit.saas.identity.world import Browser
from tests.unit.saas.oauth.conftest import assert_refused
from tests.unit.saas.oauth.flow import CATALOGUE, TOKEN, App, Flow

SCOPE = "openid offline_access projects:read"


class Device:
    def __init__(self, flow: Flow, tenant: Tenant, app: App) -> None:
        self.flow, self.tenant, self.app = flow, tenant, app
        self.http = flow.browser(tenant).http
        self.codes: dict[str, Any] = {}

    @property
    def credentials(self) -> dict[str, str]:
        return {"client_id": self.app.client_id, **({"client_secret": self.app.secret} if self.app.secret else {})}

    async def ask(self, scope: str = SCOPE) -> httpx.Response:
        document = (await self.http.get("/.well-known/oauth-authorization-server")).json()
        endpoint = document["device_authorization_endpoint"]
        answer = await self.http.post(endpoint, data={"scope": scope, **self.credentials})
        if answer.status_code == 200:
            self.codes = answer.json()
        return answer

    async def poll(self, **changed: str) -> httpx.Response:
        form = {"grant_type": GRANT_TYPE, "device_code": self.codes.get("device_code", ""), **self.credentials}
        return await self.http.post(TOKEN, data=form | changed)

    async def wait(self, seconds: int) -> None:
        """Time passes, as the tenant's rows see it."""
        earlier = "- make_interval(secs => :s)"
        moved = f"last_polled_at = last_polled_at {earlier}, expires_at = expires_at {earlier}"
        await self.flow.execute(self.tenant, f"UPDATE oauth_device_codes SET {moved}", s=seconds)

    async def decided(self, browser: Browser, decision: str = "allow", **changed: str) -> httpx.Response:
        page = await browser.get(f"/device?user_code={self.codes['user_code']}")
        assert page.status_code == 200, page.text
        seen = page.text.partition('name="scopes" value="')[2].partition('"')[0]
        fields = {"user_code": self.codes["user_code"], "scopes": seen, "decision": decision}
        return await browser.post("/device", **fields | changed)


async def new_app(flow: Flow, tenant: Tenant, auth_method: str = "client_secret_basic") -> App:
    definition = AppFactory(device=True, scopes=CATALOGUE.names, auth_method=auth_method)
    async with flow.people.services.database.tenant_session(tenant) as session:
        made = await flow.clients.create(session, tenant, definition)
    return App(made.client_id, made.secret, "")


@pytest.fixture
async def device(flow: Flow, tenant: Tenant) -> Device:
    device = Device(flow, tenant, await new_app(flow, tenant, "none"))
    await device.ask()
    return device


async def test_a_person_lets_a_device_in(flow: Flow, tenant: Tenant, device: Device) -> None:
    await flow.people.add_user(tenant)
    codes, browser = device.codes, flow.browser(tenant)
    assert set(codes) == {
        *("device_code", "user_code", "verification_uri", "verification_uri_complete", "expires_in", "interval")
    }
    assert (codes["expires_in"], codes["interval"]) == (600, 5)
    assert codes["verification_uri"] == f"{tenant.issuer}/device"
    assert_refused(await device.poll(), 400, "authorization_pending")
    redirect = await browser.get(codes["verification_uri"])
    assert redirect.headers["location"] == "/signin?return_to=%2Fdevice"
    signed_in = await browser.submit(
        redirect.headers["location"], email="ann@people.example", password="seven green lamps"
    )
    assert signed_in.headers["location"] == "/device"
    assert "Enter the code" in (await browser.get("/device")).text
    question = await browser.post("/device", user_code=codes["user_code"].lower().replace("-", " "))
    assert question.status_code == 200
    assert all(
        text in question.text for text in ("Connect Notes?", codes["user_code"], "ann@people.example", "See projects")
    )
    await device.wait(5)
    assert_refused(await device.poll(), 400, "authorization_pending")
    done = await device.decided(browser)
    assert "Notes is connected" in done.text
    answer = await device.poll()
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    tokens = answer.json()
    assert tokens["scope"] == SCOPE
    assert {"id_token", "refresh_token", "access_token"} <= set(tokens)
    assert_refused(await device.poll(), 400, "invalid_grant")
    refreshed = await device.http.post(TOKEN, data=device.app.refresh(tokens["refresh_token"]))
    assert refreshed.status_code == 200
    row = await flow.execute(tenant, "SELECT scopes FROM oauth_consents")
    assert row[0] == sorted(SCOPE.split())


async def test_without_offline_access_there_is_no_refresh_token(flow: Flow, tenant: Tenant, device: Device) -> None:
    _, browser = await flow.person(tenant)
    await device.ask("openid projects:read")
    await device.decided(browser)
    tokens = (await device.poll()).json()
    assert (tokens["scope"], "refresh_token" in tokens) == ("openid projects:read", False)


async def test_a_device_that_polls_too_fast_must_wait_longer_from_then_on(device: Device) -> None:
    assert_refused(await device.poll(), 400, "authorization_pending")
    for _ in range(2):
        assert_refused(await device.poll(), 400, "slow_down")
    await device.wait(14)
    assert_refused(await device.poll(), 400, "slow_down")
    await device.wait(20)
    assert_refused(await device.poll(), 400, "authorization_pending")


async def test_a_denial_is_told(flow: Flow, tenant: Tenant, device: Device) -> None:
    _, browser = await flow.person(tenant)
    assert "is not connected" in (await device.decided(browser, "deny")).text
    assert_refused(await device.poll(), 400, "access_denied")
    assert await flow.execute(tenant, "SELECT 1 FROM oauth_consents") is None


async def test_codes_expire(flow: Flow, tenant: Tenant, device: Device) -> None:
    _, browser = await flow.person(tenant)
    await device.wait(601)
    assert_refused(await device.poll(), 400, "expired_token")
    page = await browser.get(f"/device?user_code={device.codes['user_code']}")
    assert (page.status_code, "has expired" in page.text) == (422, True)


async def test_an_approved_code_expires_too(flow: Flow, tenant: Tenant, device: Device) -> None:
    _, browser = await flow.person(tenant)
    await device.decided(browser)
    await device.wait(601)
    assert_refused(await device.poll(), 400, "expired_token")


async def test_a_code_is_decided_once(flow: Flow, tenant: Tenant, device: Device) -> None:
    _, browser = await flow.person(tenant)
    _, other = await flow.person(tenant)
    page = await other.get(f"/device?user_code={device.codes['user_code']}")
    assert page.status_code == 200
    await device.decided(browser, "deny")
    late = await other.post("/device", user_code=device.codes["user_code"], scopes=SCOPE, decision="allow")
    assert late.status_code == 422
    assert_refused(await device.poll(), 400, "access_denied")


async def test_fifty_polls_at_once_yield_one_token_set(flow: Flow, tenant: Tenant, device: Device) -> None:
    _, browser = await flow.person(tenant)
    await device.decided(browser)
    answers = await asyncio.gather(*(device.poll() for _ in range(50)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 49}
    assert {answer.json()["error"] for answer in answers if answer.status_code == 400} == {"invalid_grant"}
    tokens = next(answer.json() for answer in answers if answer.status_code == 200)
    assert (await flow.execute(tenant, "SELECT count(*) FROM oauth_refresh_families"))[0] == 1
    assert (await device.http.post(TOKEN, data=device.app.refresh(tokens["refresh_token"]))).status_code == 200


async def test_a_code_is_of_its_client_and_its_tenant(
    flow: Flow, tenant: Tenant, other_tenant: Tenant, device: Device
) -> None:
    _, browser = await flow.person(tenant)
    await device.decided(browser)
    thief = Device(flow, tenant, await new_app(flow, tenant))
    assert_refused(await thief.poll(device_code=device.codes["device_code"]), 400, "invalid_grant")
    elsewhere = Device(flow, other_tenant, await new_app(flow, other_tenant))
    assert_refused(await elsewhere.poll(device_code=device.codes["device_code"]), 400, "invalid_grant")
    assert_refused(await elsewhere.poll(**device.credentials, client_secret=""), 401, "invalid_client")
    _, stranger = await flow.person(other_tenant)
    assert (await stranger.get(f"/device?user_code={device.codes['user_code']}")).status_code == 422
    assert (await device.poll()).status_code == 200


async def test_a_device_must_be_who_it_says(flow: Flow, tenant: Tenant) -> None:
    confidential = Device(flow, tenant, await new_app(flow, tenant))
    assert (await confidential.ask()).status_code == 200
    confidential.app = App(confidential.app.client_id, "wrong", "")
    assert_refused(await confidential.ask(), 401, "invalid_client")
    assert_refused(await confidential.poll(), 401, "invalid_client")
    confidential.app = App(confidential.app.client_id, "", "")
    assert_refused(await confidential.ask(), 401, "invalid_client")
    web = Device(flow, tenant, await flow.app(tenant))
    assert_refused(await web.ask(), 400, "unauthorized_client")
    assert_refused(await web.poll(device_code="x"), 400, "unauthorized_client")


async def test_malformed_requests(device: Device) -> None:
    assert_refused(await device.ask("openid made:up"), 400, "invalid_scope")
    assert_refused(await device.poll(device_code=""), 400, "invalid_request")
    assert_refused(await device.poll(device_code="never issued"), 400, "invalid_grant")
    repeated = await device.http.post("/oauth2/device_authorization", data={"client_id": [device.app.client_id] * 2})
    assert_refused(repeated, 400, "invalid_request")
    assert (await device.http.get("/oauth2/device_authorization")).status_code == 405


async def test_codes_are_digests_at_rest(flow: Flow, tenant: Tenant, device: Device) -> None:
    row = await flow.execute(tenant, "SELECT digest, oauth_device_codes::text FROM oauth_device_codes")
    assert len(row[0]) == 32
    assert device.codes["device_code"] not in row[1]


async def test_roles_limit_what_a_device_gets(flow: Flow, tenant: Tenant, device: Device) -> None:
    _, browser = await flow.person(tenant)
    await device.ask("projects:read billing:read")
    page = await browser.get(f"/device?user_code={device.codes['user_code']}")
    assert ("See projects" in page.text, "See invoices" in page.text) == (True, False)
    await device.decided(browser, scopes="projects:read billing:read openid")
    assert (await device.poll()).json()["scope"] == "projects:read"
    await device.ask("billing:read")
    refused = await browser.get(f"/device?user_code={device.codes['user_code']}")
    assert (refused.status_code, "any of the access" in refused.text) == (422, True)


async def test_only_what_the_page_showed_is_allowed(flow: Flow, tenant: Tenant, device: Device) -> None:
    _, browser = await flow.person(tenant)
    await device.ask("openid projects:read projects:write")
    await device.decided(browser, scopes="openid projects:read")
    assert (await device.poll()).json()["scope"] == "openid projects:read"
    await device.ask()
    assert "is not connected" in (await device.decided(browser, scopes="")).text


async def test_what_is_taken_back_before_the_device_asks(flow: Flow, tenant: Tenant, device: Device) -> None:
    user, browser = await flow.person(tenant)
    await device.decided(browser)
    await flow.execute(tenant, "UPDATE sessions SET ended_at = now()")
    assert_refused(await device.poll(), 400, "invalid_grant")
    user, browser = await flow.person(tenant)
    await device.ask()
    await device.decided(browser)
    await flow.execute(tenant, "UPDATE users SET disabled_at = now() WHERE id = :id", id=user.id)
    assert_refused(await device.poll(), 400, "invalid_grant")


async def test_forms_of_others_decide_nothing(flow: Flow, tenant: Tenant, device: Device) -> None:
    _, browser = await flow.person(tenant)
    _, other = await flow.person(tenant)
    await other.get("/device")
    fields = {"user_code": device.codes["user_code"], "scopes": SCOPE, "decision": "allow"}
    for token in ("", "forged", other.token):
        browser.token = token
        assert (await browser.post("/device", **fields)).status_code == 403
    forged = await browser.http.post("/device", data=fields, headers={"Origin": "https://evil.example"})
    assert forged.status_code == 403
    assert_refused(await device.poll(), 400, "authorization_pending")
    assert (await flow.browser(tenant).post("/device", **fields)).headers["location"].startswith("/signin")


async def test_the_page_leads_through_sign_in_and_back(flow: Flow, tenant: Tenant, device: Device) -> None:
    answer = await flow.browser(tenant).get(f"/device?user_code={device.codes['user_code'].lower()}")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/signin?return_to=%2Fdevice%3Fuser_code%3D{device.codes['user_code']}"
    strange = await flow.browser(tenant).get("/device?user_code=https://evil.example")
    assert strange.headers["location"] == "/signin?return_to=%2Fdevice"


async def test_guesses_are_counted(flow: Flow, tenant: Tenant, device: Device) -> None:
    _, browser = await flow.person(tenant)
    for _ in range(30):
        assert (await browser.get("/device?user_code=BBBB-BBBB")).status_code == 422
    refused = await browser.get(f"/device?user_code={device.codes['user_code']}")
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    posted = await browser.post("/device", user_code=device.codes["user_code"], decision="allow", scopes=SCOPE)
    assert posted.status_code == 429
    assert_refused(await device.poll(), 400, "authorization_pending")
    _, other = await flow.person(tenant)
    assert (await device.decided(other)).status_code == 200


async def test_what_is_typed_is_refused_in_words(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    for typed, words in (("", "Enter the code"), ("<b>hello</b>", "This code is not right"), ("BBBB", "is not right")):
        answer = await browser.submit("/device", user_code=typed)
        assert (answer.status_code, words in answer.text) == (422, True)
        assert "<b>hello" not in answer.text
