"""People, administered over the API: by programs, and by apps of people, each within their own rights."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from saas.identity.roles import Role
from saas.services import Services
from tenants.overrides import set_overrides
from tenants.registry import Tenant
from tests.conftest import MakeMachine
from tests.factories import CALLBACK, AppFactory
from tests.unit.saas.console.settings_world import administrator
from tests.unit.saas.identity.world import Outbox
from tests.unit.saas.oauth.flow import App, tokens_of

WRITE = ["users:read", "users:write"]
Api = httpx.AsyncClient


@pytest.fixture
def outbox(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Outbox:
    outbox = Outbox()
    monkeypatch.setattr(app.state.people, "_mailer", outbox)
    return outbox


@pytest.fixture
async def api(machine: MakeMachine, tenant: Tenant, outbox: Outbox) -> Api:
    client = await machine(tenant, WRITE)
    client.base_url = httpx.URL(f"{tenant.issuer}/api/v1")
    return client


async def make(services: Services, tenant: Tenant, email: str, *roles: str) -> str:
    """The id of somebody who can sign in."""
    async with services.database.tenant_session(tenant) as session:
        user = await services.users.create(session, tenant, email=email, roles=roles, password_hash="x")
    return str(user.id)


async def actions(services: Services, tenant: Tenant) -> list[str]:
    async with services.database.tenant_session(tenant) as session:
        found = await session.scalars(
            text("SELECT action FROM audit_events WHERE actor_kind = 'client' ORDER BY position")
        )
        return list(found)


async def test_a_person_from_invitation_to_the_end(
    services: Services, app: FastAPI, tenant: Tenant, api: Api, outbox: Outbox
) -> None:
    new = {"email": "Ann@people.example", "name": "Ann"}
    made = await api.post("/users", json=new, headers={"Idempotency-Key": "k1"})
    user = made.json()
    assert (made.status_code, made.headers["location"]) == (201, f"/api/v1/users/{user['id']}")
    assert (user["status"], user["roles"], user["last_signed_in_at"]) == ("invited", ["member"], None)
    assert (await api.post("/users", json=new, headers={"Idempotency-Key": "k1"})).json() == user
    taken = await api.post("/users", json=new)
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:saas:problem:email-taken")
    await app.state.background.drain()
    first = outbox.link()
    here = f"/users/{user['id']}"
    assert (await api.post(f"{here}/resend-invitation")).status_code == 200
    await app.state.background.drain()
    assert [message.to for message in outbox.sent] == ["Ann@people.example"] * 2
    assert (await api.get(tenant.issuer + first)).status_code == 404
    assert (await api.get(tenant.issuer + outbox.link())).status_code == 200

    async with services.database.tenant_session(tenant) as session:
        await session.execute(text("UPDATE users SET password_hash = 'x' WHERE email_key = 'ann@people.example'"))
    for refused in (await api.delete(here), await api.post(f"{here}/resend-invitation")):
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:saas:problem:no-open-invitation")
    etag = {"If-Match": (await api.get(here)).headers["etag"]}
    changed = await api.patch(here, json={"name": "Ann B", "roles": ["member"]}, headers=etag)
    assert (changed.status_code, changed.json()["name"]) == (200, "Ann B")
    assert (await api.patch(here, json={"name": "Lost"}, headers=etag)).status_code == 412
    wrong: dict[str, Any]
    for wrong in ({"roles": ["king"]}, {"roles": []}, {"name": " "}, {"name": None}, {"email": "b@c.example"}):
        assert (await api.patch(here, json=wrong)).status_code == 422, wrong

    assert (await api.post(f"{here}/disable")).json()["status"] == "disabled"
    assert (await api.post(f"{here}/enable")).json()["status"] == "active"
    assert (await api.post(f"{here}/reset-factors")).json() == {"count": 0}
    other = (await api.post("/users", json={"email": "bob@people.example"})).json()
    assert (await api.delete(f"/users/{other['id']}")).status_code == 204
    gone = await api.get(f"/users/{other['id']}")
    assert (gone.status_code, gone.json()["type"]) == (404, "urn:saas:problem:unknown-user")
    assert await actions(services, tenant) == [
        *("user.invited", "user.invited", "user.renamed", "user.disabled", "user.enabled", "factor.removed"),
        *("user.invited", "user.invitation_withdrawn"),
    ]


async def test_sessions_are_listed_and_ended(
    services: Services, app: FastAPI, tenant: Tenant, api: Api, other_tenant: Tenant
) -> None:
    async with administrator(app, services, tenant, email="ann@people.example", roles=["member"]) as browser:
        (user,) = (await api.get("/users", params={"q": "ANN@"})).json()["items"]
        assert user["last_signed_in_at"]
        here = f"/users/{user['id']}"
        (session,) = (await api.get(f"{here}/sessions")).json()["items"]
        assert session["user_agent"] == "test"
        assert (await api.delete(f"{here}/sessions/{uuid4()}")).status_code == 404
        assert await browser.is_signed_in()
        assert (await api.delete(f"{here}/sessions/{session['id']}")).status_code == 204
        assert not await browser.is_signed_in()
    async with services.database.tenant_session(tenant) as opened:
        await services.sessions.start(opened, tenant, user["id"], amr=["pwd"], address="127.0.0.1", user_agent="test")
    assert (await api.post(f"{here}/end-sessions")).json() == {"count": 1}
    assert (await api.get(f"{here}/sessions")).json() == {"items": []}
    stranger = await make(services, other_tenant, "eve@people.example", "member")
    for path in ("", "/sessions"):
        assert (await api.get(f"/users/{stranger}{path}")).status_code == 404
    assert (await api.post(f"/users/{stranger}/disable")).status_code == 404


async def test_the_list_goes_on_where_a_page_ends(services: Services, tenant: Tenant, api: Api) -> None:
    for number in range(7):
        await make(services, tenant, f"p{number}@people.example", "admin" if number == 3 else "member")
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3, "q": "PEOPLE.ex"}
    while True:
        page = (await api.get("/users", params=query)).json()
        seen += [user["email"] for user in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == [f"p{number}@people.example" for number in range(7)]

    async def found(**asked: str) -> list[str]:
        return [user["email"] for user in (await api.get("/users", params=asked)).json()["items"]]

    assert await found(role="admin", status="active") == ["p3@people.example"]
    assert await found(status="disabled") == await found(q="100%") == await found(role="nobody") == []
    for wrong in ({"cursor": "x"}, {"limit": "0"}, {"status": "gone"}, {"q": "a\0"}):
        assert (await api.get("/users", params=wrong)).status_code == 422, wrong


async def test_a_program_gives_and_touches_no_more_than_it_holds(
    services: Services, tenant: Tenant, api: Api, machine: MakeMachine
) -> None:
    owner, admin = f"owner@{tenant.slug}.example", await make(services, tenant, "admin@people.example", "admin")
    (boss,) = (await api.get("/users", params={"q": owner})).json()["items"]
    async with services.database.tenant_session(tenant) as session:
        await services.roles.create(session, Role("help", "Helps", tuple(WRITE)), by=None)
        await services.roles.create(session, Role("auditor", "Looks", ("audit:read",)), by=None)
    for role, status in (("help", 201), ("member", 201), ("auditor", 403), ("admin", 403), ("owner", 403)):
        answer = await api.post("/users", json={"email": f"{role}@new.example", "roles": [role]})
        assert answer.status_code == status, role
    assert answer.json()["type"] == "urn:saas:problem:beyond-your-rights"
    everything = await machine(tenant, services.catalogue.names)
    everything.base_url = api.base_url
    for client, user_id in ((api, admin), (api, boss["id"]), (everything, boss["id"])):
        for call in (
            client.patch(f"/users/{user_id}", json={"name": "Eve"}),
            client.patch(f"/users/{user_id}", json={"roles": ["member"]}),
            *(
                client.post(f"/users/{user_id}/{deed}")
                for deed in ("disable", "enable", "reset-factors", "end-sessions")
            ),
        ):
            assert (await call).status_code == 403
    # A program that may do everything makes administrators, and no owner.
    assert (await everything.patch(f"/users/{admin}", json={"roles": ["member", "auditor"]})).status_code == 200
    assert (await everything.patch(f"/users/{admin}", json={"roles": ["owner"]})).status_code == 403
    assert (await api.patch(f"/users/{admin}", json={"roles": ["member"]})).status_code == 403


async def test_an_app_does_what_its_person_may(
    services: Services, app: FastAPI, tenant: Tenant, outbox: Outbox
) -> None:
    bob = await make(services, tenant, "bob@people.example", "member")
    async with administrator(app, services, tenant, roles=["owner"]) as browser:

        async def app_with(*scopes: str) -> Callable[..., Any]:
            async with services.database.tenant_session(tenant) as session:
                made = await services.clients.create(session, tenant, AppFactory(scopes=["openid", *scopes]))
            client = App(*made, CALLBACK)
            token = (await tokens_of(browser, client, scope=" ".join(["openid", *scopes])))["access_token"]

            async def patch(user_id: str, **change: Any) -> httpx.Response:
                return await browser.http.patch(
                    f"/api/v1/users/{user_id}", json=change, headers={"Authorization": f"Bearer {token}"}
                )

            return patch

        some, every = await app_with("users:write"), await app_with(*services.catalogue.names[1:])
        assert (await some(bob, roles=["owner"])).status_code == 403
        assert (await every(bob, roles=["owner"])).status_code == 200
        (me,) = [user.id for user in await _everybody(services, tenant) if user.email == "boss@people.example"]
        own = await browser.http.post(f"/api/v1/users/{me}/disable")
        assert own.status_code == 401
        # Who is no owner any more makes none, whatever the token says.
        assert (await every(str(me), roles=["member"])).status_code == 200
        assert (await every(bob, roles=["member"])).status_code in {401, 403}


async def _everybody(services: Services, tenant: Tenant) -> list[Any]:
    async with services.database.tenant_session(tenant) as session:
        return await services.users.list(session)


async def test_scopes_caps_and_mail_are_needed(
    services: Services, app: FastAPI, tenant: Tenant, machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, nobody = await machine(tenant, ["users:read"]), await machine(tenant, ["projects:read"])
    assert (await reader.post("/api/v1/users", json={"email": "a@b.example"})).status_code == 403
    assert (await nobody.get("/api/v1/users")).status_code == 403
    writer = await machine(tenant, WRITE)
    unsent = await writer.post("/api/v1/users", json={"email": "a@b.example"})
    assert (unsent.status_code, unsent.json()["type"]) == (409, "urn:saas:problem:no-mail")
    monkeypatch.setattr(app.state.people, "_mailer", Outbox())
    async with app.state.database.platform_session() as session:
        await set_overrides(session, tenant.slug, {"users": "2"}, None)
    answers = [await writer.post("/api/v1/users", json={"email": f"{name}@b.example"}) for name in "ab"]
    assert [answer.status_code for answer in answers] == [201, 403]
    assert answers[1].json()["type"].endswith("cap-reached")
