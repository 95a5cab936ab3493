"""The console's pages of apps and consents: who may do what, what is wrong in place, what is told once."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from saas.identity.roles import Role
from saas.oauth.clients import NewClient
from saas.services import Services
from tenants.registry import Tenant
from tests.conftest import MakeTenant
from tests.factories import AppFactory, MachineFactory
from tests.unit.saas.console.settings_world import administrator, age
from tests.unit.saas.identity.world import Browser

APPS, NEW = "/console/apps", "/console/apps/new"


@pytest.fixture
async def boss(app: FastAPI, services: Services, tenant: Tenant) -> AsyncIterator[Browser]:
    async with administrator(app, services, tenant) as browser:
        yield browser


async def _make(services: Services, tenant: Tenant, scopes: tuple[str, ...]) -> NewClient:
    async with services.database.tenant_session(tenant) as session:
        return await services.clients.create(session, tenant, MachineFactory(scopes=scopes))


async def test_a_secret_is_told_once_to_whom_it_was_made_for(services: Services, tenant: Tenant, boss: Browser) -> None:
    await boss.get(f"{NEW}?kind=machine")
    made = await boss.post(NEW, kind="machine", name="Nightly", scopes="projects:read")
    assert made.status_code == 303
    path = made.headers["location"]
    other = await _make(services, tenant, ("projects:read",))
    assert 'id="secret"' not in (await boss.get(f"{APPS}/{other.client_id}")).text
    first, second = await boss.get(path), await boss.get(path)
    assert ('id="secret"' in first.text, 'id="secret"' in second.text) == (True, False)
    secret = first.text.partition('id="secret">')[2].partition("<")[0]
    client = await services.clients.find(tenant, path.rpartition("/")[2])
    assert client is not None
    assert client.has_secret(secret, 0)
    # Whoever has got hold of the cookie in another session reads nothing.
    await boss.get(f"{path}/secret")
    rotated = await boss.post(f"{path}/secret", overlap="24")
    async with services.database.tenant_session(tenant) as session:
        (user,) = await session.scalars(text("SELECT id FROM users WHERE email = 'boss@people.example'"))
        boss.cookie = await services.sessions.start(
            session, tenant, user, amr=("pwd",), address="127.0.0.1", user_agent="test"
        )
    assert 'id="secret"' not in (await boss.get(rotated.headers["location"])).text


async def test_what_is_sensitive_takes_a_recent_sign_in(services: Services, tenant: Tenant, boss: Browser) -> None:
    path = f"{APPS}/{(await _make(services, tenant, ('projects:read',))).client_id}"
    await boss.get(f"{path}/delete")
    await age(services, tenant, 1)
    for page in (f"{NEW}?kind=web", f"{path}/secret", f"{path}/delete"):
        assert (await boss.get(page)).headers["location"].startswith("/confirm?return_to=/console/apps/")
    for form in (NEW, f"{path}/secret", f"{path}/delete"):
        assert "unsent=1" in (await boss.post(form)).headers["location"]
    assert (await boss.get(path)).status_code == 200


async def test_who_only_sees_apps_changes_none(app: FastAPI, services: Services, tenant: Tenant) -> None:
    made = await _make(services, tenant, ("projects:read",))
    path = f"{APPS}/{made.client_id}"
    async with services.database.tenant_session(tenant) as session:
        await services.roles.create(session, Role("looker", "", ("clients:read",)), by=None)
    async with administrator(app, services, tenant, email="looker@people.example", roles=("looker",)) as looker:
        assert "Add an app" not in (await looker.get(APPS)).text
        page = await looker.get(path)
        assert (page.status_code, "Delete this app" in page.text) == (200, False)
        for closed in (NEW, f"{path}/edit", f"{path}/secret", f"{path}/delete", "/console/consents"):
            assert (await looker.get(closed)).status_code == 403
        for form in (NEW, *(f"{path}/{deed}" for deed in ("edit", "secret", "revoke-tokens", "delete"))):
            assert (await looker.post(form, name="Eve", scopes="projects:read")).status_code == 403


async def test_nobody_has_an_app_that_may_do_more_than_they(app: FastAPI, services: Services, tenant: Tenant) -> None:
    strong = await _make(services, tenant, ("users:write",))
    async with services.database.tenant_session(tenant) as session:
        await services.roles.create(session, Role("apps", "", ("clients:read", "clients:write")), by=None)
    async with administrator(app, services, tenant, email="apps@people.example", roles=("apps",)) as keeper:
        path = f"{APPS}/{strong.client_id}"
        assert "may do what you may not" in (await keeper.get(path)).text
        assert "users:write" not in (await keeper.get(f"{NEW}?kind=machine")).text
        for form, fields in (
            (NEW, {"kind": "machine", "name": "Eve", "scopes": "users:write"}),
            (f"{path}/edit", {"name": "Eve", "scopes": "users:write"}),
        ):
            answer = await keeper.post(form, **fields)
            assert (answer.status_code, "may do what you may not" in answer.text) == (422, True)
        assert (await keeper.post(f"{path}/secret", overlap="0")).status_code == 403


async def test_the_cap_of_the_plan_is_told_in_the_form(
    app: FastAPI, services: Services, make_tenant: MakeTenant
) -> None:
    tenant = await make_tenant("free")
    cap = tenant.plan.clients
    assert cap is not None
    for _ in range(cap):
        await _make(services, tenant, ("projects:read",))
    async with administrator(app, services, tenant) as boss:
        assert f"room for {cap} apps" in (await boss.get(APPS)).text
        await boss.get(f"{NEW}?kind=machine")
        answer = await boss.post(NEW, kind="machine", name="One more", scopes="projects:read")
        assert (answer.status_code, 'value="One more"' in answer.text, 'role="alert"' in answer.text) == (
            422,
            True,
            True,
        )


async def test_an_app_is_changed_with_errors_in_place(services: Services, tenant: Tenant, boss: Browser) -> None:
    async with services.database.tenant_session(tenant) as session:
        made = await services.clients.create(session, tenant, replace(AppFactory(), kind="web"))
    path = f"{APPS}/{made.client_id}/edit"
    await boss.get(path)
    bad = "https://ok.example/\ncom.example:/x\nhttps://"
    answer = await boss.post(path, name="", redirect_uris=bad, backchannel_logout_uri="x")
    assert answer.status_code == 422
    for says in (
        "Give it a name",
        "Choose at least one thing",
        "Line 2: a web app is reached at a web address",
        "Line 3: ",
        "cannot be told of logouts",
    ):
        assert says in answer.text, says
    fields = {"name": "<b>Wiki</b>", "scopes": "openid", "redirect_uris": "https://wiki.example/\n\n"}
    assert (await boss.post(path, **fields)).headers["location"] == path.removesuffix("/edit")
    page = (await boss.get(path.removesuffix("/edit"))).text
    assert "&lt;b&gt;Wiki&lt;/b&gt;" in page
    client = await services.clients.find(tenant, made.client_id)
    assert client is not None
    assert (client.redirect_uris, client.scopes) == (("https://wiki.example/",), ("openid",))


async def test_nothing_is_there_of_other_tenants_or_of_nonsense(
    services: Services, other_tenant: Tenant, boss: Browser
) -> None:
    theirs = await _make(services, other_tenant, ("projects:read",))
    for path in (theirs.client_id, "x", "a%00b", "%ff"):
        assert (await boss.get(f"{APPS}/{path}")).status_code == 404, path
    assert "No app is called that" in (await boss.get(f"{APPS}?q={theirs.client_id}")).text
    assert (await boss.get("/console/consents?q=%00&app=nobody")).status_code == 200
    assert (await boss.get(f"{APPS}?cursor=nonsense")).status_code == 422
    await boss.get(f"{NEW}?kind=machine")
    assert (await boss.post("/console/consents/revoke", user="x", client="y")).headers[
        "location"
    ] == "/console/consents"
