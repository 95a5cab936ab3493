"""People and roles in the console: each task with a form, errors in place, nobody beyond their own rights."""

from html import unescape
from uuid import uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import event

from saas.identity.roles import Role
from saas.services import Services
from tenants.overrides import set_overrides
from tenants.registry import Tenant
from tests.unit.saas.console.settings_world import administrator, age, events
from tests.unit.saas.identity.world import Browser, Outbox

PEOPLE, INVITE, ROLES, NEW_ROLE = "/console/people", "/console/people/invite", "/console/roles", "/console/new-role"


@pytest.fixture
def outbox(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Outbox:
    outbox = Outbox()
    monkeypatch.setattr(app.state.people, "_mailer", outbox)
    return outbox


async def page_of(here: Browser, name: str) -> str:
    """The address of the only person who is found by `name`."""
    found = (await here.get(f"{PEOPLE}?q={name}")).text.split(f'href="{PEOPLE}/')
    addresses = [part.partition('"')[0] for part in found if "-" in part.partition('"')[0]]
    assert len(addresses) == 1
    return f"{PEOPLE}/{addresses[0]}"


async def shown(here: Browser, path: str) -> str:
    answer = await here.get(path)
    assert answer.status_code == 200, answer.text
    return unescape(answer.text)


async def test_several_are_invited_at_once_or_nobody(
    app: FastAPI, services: Services, tenant: Tenant, outbox: Outbox
) -> None:
    async with administrator(app, services, tenant) as here:
        assert "owner</label>" not in await shown(here, INVITE)
        typed = (
            "ann@people.example, Bob B <bob@people.example>;\nANN@people.example nobody boss@people.example a\0b@c.de"
        )
        wrong = await here.post(INVITE, emails=typed, roles="member")
        text = unescape(wrong.text)
        assert (wrong.status_code, "3 of 5 cannot be invited; nobody has been yet." in text) == (422, True)
        assert "boss@people.example is here already, or invited" in text
        assert "'nobody' is not an e-mail address" in text
        assert "Bob B <bob@people.example>" in text
        assert "Choose at least one role." in (await here.post(INVITE, emails="ann@people.example")).text
        assert "Enter at least one" in (await here.post(INVITE, emails=" \n", roles="member")).text
        many = "\n".join(f"p{number}@people.example" for number in range(51))
        assert "these are 51" in (await here.post(INVITE, emails=many, roles="member")).text
        assert (await here.post(INVITE, emails="ann@people.example", roles="owner")).status_code == 403
        assert await events(services, tenant, "user.invited") == []

        done = await here.post(INVITE, emails="ann@people.example\nBob B <bob@people.example>", roles="member")
        assert (done.status_code, done.headers["location"]) == (303, f"{PEOPLE}?status=invited")
        listed = await shown(here, f"{PEOPLE}?status=invited")
        assert "2 people are invited" in listed
        assert "Bob B</a>" in listed
        assert "owner@" not in listed
        assert [invited.actor_name for invited in await events(services, tenant, "user.invited")] == [
            "boss@people.example"
        ] * 2
        await app.state.background.drain()
        assert {message.to for message in outbox.sent} == {"ann@people.example", "bob@people.example"}

        ann = await page_of(here, "ann@")
        assert (await here.post(f"{ann}/resend-invitation")).headers["location"] == ann
        assert "will find a new link" in await shown(here, ann)
        assert (await here.post(f"{ann}/withdraw-invitation")).headers["location"] == PEOPLE
        assert (await here.get(ann)).status_code == 404
        async with app.state.database.platform_session() as session:
            await set_overrides(session, tenant.slug, {"users": "3"}, None)
        full = await here.post(INVITE, emails="carl@people.example", roles="member")
        assert (full.status_code, "allows 3" in full.text) == (422, True)
    await app.state.background.drain()


async def test_somebody_is_changed_shut_out_and_let_in(app: FastAPI, services: Services, tenant: Tenant) -> None:
    async with (
        administrator(app, services, tenant, email="ann@people.example", roles=["member"]) as ann,
        administrator(app, services, tenant) as here,
    ):
        path = await page_of(here, "ann@")
        await here.get(path)
        await services_role(services, tenant)
        wrong = await here.post(path, name=" ", roles="member")
        assert (wrong.status_code, "A name is one line" in wrong.text) == (422, True)
        assert "Choose at least one role." in (await here.post(path, name="Ann")).text
        both = await here.http.post(path, data={"csrf": here.token, "name": "Ann B", "roles": ["member", "support"]})
        assert both.headers["location"] == path
        page = await shown(here, path)
        assert "Ann B is saved." in page
        assert 'value="support" checked' in page
        assert "127.0.0.1, last used just now" in page
        assert (await here.post(f"{path}/end-sessions", session=str(uuid4()))).status_code == 303
        assert await ann.is_signed_in()
        assert (await here.post(f"{path}/end-sessions")).status_code == 303
        assert not await ann.is_signed_in()
        assert (await here.post(f"{path}/disable")).status_code == 303
        assert "Let them in again" in await shown(here, path)
        assert (await here.post(f"{path}/enable")).status_code == 303
        assert "Disable" in await shown(here, path)
        # Rights that are sensitive are given, and factors taken away, by those who have just proved who they are.
        await age(services, tenant, 1)
        unsent = f"/confirm?return_to={path}&unsent=1"
        assert (await here.post(path, name="Ann", roles="admin")).headers["location"] == unsent
        assert (await here.post(f"{path}/reset-factors")).headers["location"] == unsent
        assert (await here.post(path, name="Ann", roles="member")).headers["location"] == path
        for nothing in (f"{PEOPLE}/x", f"{PEOPLE}/{uuid4()}"):
            assert (await here.get(nothing)).status_code == 404
    names = ("user.renamed", "user.roles_changed", "user.disabled", "user.enabled", "session.ended")
    told = [found.action for found in await events(services, tenant, *names)]
    assert told[::-1] == [
        *("user.roles_changed", "user.renamed", "session.ended", "user.disabled", "user.enabled"),
        *("user.roles_changed", "user.renamed"),
    ]


async def services_role(services: Services, tenant: Tenant) -> None:
    async with services.database.tenant_session(tenant) as session:
        await services.roles.create(session, Role("support", "Helps", ("projects:read", "users:read")), by=None)


async def test_nobody_reaches_beyond_their_own_rights(app: FastAPI, services: Services, tenant: Tenant) -> None:
    helps = Role("help", "Helps", ("users:read", "users:write", "roles:read", "roles:write"))
    async with services.database.tenant_session(tenant) as session:
        await services.roles.create(session, helps, by=None)
    async with (
        administrator(app, services, tenant) as admin,
        administrator(app, services, tenant, email="help@people.example", roles=["help"]) as helper,
        administrator(app, services, tenant, email="owner2@people.example", roles=["owner"]) as owner,
    ):
        boss, chief = await page_of(admin, "boss@"), await page_of(admin, "owner2@")
        assert "Only an owner changes an owner." in await shown(admin, chief)
        assert "Their roles allow more than yours" in await shown(helper, boss)
        for browser, path in ((admin, chief), (helper, boss), (helper, chief)):
            assert 'name="roles"' not in await shown(browser, path)
            await browser.get(INVITE)
            assert (await browser.post(f"{path}/disable")).status_code == 403
            assert (await browser.post(f"{path}/end-sessions")).status_code == 403
            assert (await browser.post(path, name="X", roles="member")).status_code == 422
        own = await page_of(helper, "help@")
        for role in ("admin", "owner"):
            assert (await helper.post(own, name="Help", roles=role)).status_code == 422
        assert (await helper.post(f"{own}/disable")).status_code == 409
        assert "audit:read" not in await shown(helper, NEW_ROLE)
        beyond = {"name": "all", "description": "", "scopes": "audit:read"}
        assert "may not do yourself: audit:read" in (await helper.post(NEW_ROLE, **beyond)).text

        (first,) = [await page_of(owner, f"owner@{tenant.slug}")]
        await owner.get(first)
        assert (await owner.post(first, name="First", roles="member")).status_code == 303
        mine = await page_of(owner, "owner2@")
        last = await owner.post(mine, name="Last", roles="member")
        assert (last.status_code, "is the last owner" in last.text) == (422, True)
        assert (await owner.get("/account")).text.count("Last") == 0


async def test_a_role_is_made_changed_and_deleted(app: FastAPI, services: Services, tenant: Tenant) -> None:
    async with administrator(app, services, tenant) as here:
        assert "See the people, their roles and their sessions" in await shown(here, f"{ROLES}/admin")
        assert 'type="checkbox"' not in await shown(here, f"{ROLES}/admin")
        await here.get(NEW_ROLE)
        for fields, message in (
            ({"name": "Two words", "scopes": "projects:read"}, "lower-case letters, digits and hyphens"),
            ({"name": "support"}, "Choose at least one thing"),
            ({"name": "admin", "scopes": "projects:read"}, "choose another name"),
            ({"name": "support", "scopes": "projects:read", "description": "x" * 201}, "at most 200 characters"),
        ):
            wrong = await here.post(NEW_ROLE, **fields)
            assert (wrong.status_code, message in wrong.text) == (422, True), fields
        made = await here.http.post(
            NEW_ROLE,
            data={"csrf": here.token, "name": "support", "description": "", "scopes": ["projects:read", "users:read"]},
        )
        path = f"{ROLES}/support"
        assert made.headers["location"] == path
        assert "Nobody yet." in await shown(here, path)
        assert (await here.post(path, description="Helps", scopes="projects:read")).headers["location"] == path
        async with services.database.tenant_session(tenant) as session:
            await services.users.create(session, tenant, email="ann@people.example", roles=["support"])
        page = await shown(here, path)
        assert "ann@people.example" in page
        assert "Delete this role" not in page
        used = await here.post(f"{path}/delete")
        assert (used.status_code, "ann@people.example" in used.text) == (409, True)
        assert f'href="{PEOPLE}?role=support"' in await shown(here, ROLES)
        async with services.database.tenant_session(tenant) as session:
            await services.users.set_roles(session, tenant, "ann@people.example", ["member"])
        assert (await here.post(f"{path}/delete")).headers["location"] == ROLES
        assert (await here.get(path)).status_code == 404
    told = await events(services, tenant, "role.created", "role.changed", "role.deleted")
    assert [found.action for found in told] == ["role.deleted", "role.changed", "role.created"]


async def test_pages_ask_the_database_few_things_whatever_they_show(
    app: FastAPI, services: Services, tenant: Tenant
) -> None:
    async with administrator(app, services, tenant) as here:
        await shown(here, PEOPLE)  # of a first visit more is asked
        asked: list[str] = []

        def note(_: object, __: object, statement: str, *___: object) -> None:
            if "platform.epoch" not in statement:  # the application looks at it twice a second
                asked.append(statement)

        engine = app.state.database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        counts = []
        try:
            for more in (0, 30):
                async with services.database.tenant_session(tenant) as session:
                    for number in range(more):
                        await services.users.create(session, tenant, email=f"p{number}@people.example")
                for path in (PEOPLE, f"{PEOPLE}?q=p&status=invited", ROLES):
                    asked.clear()
                    page = await shown(here, path)
                    counts.append(len(asked))
                    assert ("Next page" in page) is (more > 0 and path != ROLES)
        finally:
            event.remove(engine, "before_cursor_execute", note)
    assert counts[:3] == counts[3:]
    assert max(counts) <= 6
