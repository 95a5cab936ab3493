"""From a client's request to its code: sign-in, consent, and what the client is told."""

from tenants.registry import Tenant
from tests.unit.saas.oauth.flow import Flow, allow, answer_of


async def test_a_person_allows_an_app_and_it_gets_its_tokens(flow: Flow, tenant: Tenant) -> None:
    _, browser = await flow.person(tenant)
    app = await flow.app(tenant)
    answer = answer_of(await allow(browser, app))
    assert answer.keys() == {"code", "state", "iss"}
    response = await browser.http.post("/oauth2/token", data=app.redemption(answer["code"]))
    print(response.text)
    body = response.json()
    assert response.status_code == 200
    response = await browser.http.post("/oauth2/token", data=app.refresh(body["refresh_token"]))
    print(response.text)
    assert response.status_code == 200
