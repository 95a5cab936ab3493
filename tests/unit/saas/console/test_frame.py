"""Who gets into the console, and what it says to those who do not; home, plan and the audit log over HTTP."""

import csv
import io
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from saas.identity.roles import Role, create_role
from saas.services import Services
from tenants.registry import Tenant
from tests.conftest import MakeTenant
from tests.factories import MachineFactory
from tests.unit.saas.console.settings_world import administrator, events
from tests.unit.saas.identity.world import Browser


@pytest.fixture(scope="module")
async def acme(make_tenant: MakeTenant) -> Tenant:
    return await make_tenant()


@pytest.fixture(scope="module")
async def boss(app: FastAPI, services: Services, acme: Tenant) -> AsyncIterator[Browser]:
    async with administrator(app, services, acme, roles=["owner"]) as browser:
        yield browser


async def test_strangers_sign_in_first_and_come_back(app: FastAPI, acme: Tenant) -> None:
    stranger = Browser(app, acme)
    answer = await stranger.get("/console/audit?action=user")
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/signin?return_to=/console/audit%3Faction%3Duser",
    )
    sent = await stranger.post("/console/audit/verify")
    assert sent.headers["location"] == "/signin?return_to=/console"
    await stranger.http.aclose()


async def test_members_are_told_whom_to_ask(app: FastAPI, services: Services, acme: Tenant, boss: Browser) -> None:
    async with administrator(app, services, acme, email="ann@people.example", roles=["member"]) as ann:
        for path in ("/console", "/console/audit", "/console/nothing"):
            answer = await ann.get(path)
            assert answer.status_code == 403
            assert "This is for administrators" in answer.text
            assert "boss@people.example" in answer.text
        assert 'href="/console"' not in (await ann.get("/account")).text
    assert 'href="/console"' in (await boss.get("/account")).text


async def test_a_role_opens_what_it_names_and_nothing_else(app: FastAPI, services: Services, acme: Tenant) -> None:
    async with services.database.tenant_session(acme) as session:
        await create_role(session, Role("auditor", "", ("audit:read",)), services.catalogue)
    async with administrator(app, services, acme, email="eve@people.example", roles=["auditor"]) as eve:
        home = (await eve.get("/console")).text
        listed = set(re.findall(r'<li><a href="(/console[^"]*)"', home))
        assert listed == {"/console", "/console/audit"}
        assert "What happened last" in home
        assert "What you have" not in home
        refused = await eve.get("/console/plan")
        assert refused.status_code == 403
        assert "See the plan and what is used of it" in refused.text
        assert (await eve.get("/console/audit")).status_code == 200
        missing = await eve.get("/console/audit/nothing")
        assert (missing.status_code, "This page does not exist" in missing.text) == (404, True)


async def test_home_and_plan_tell_of_what_there_is(services: Services, acme: Tenant, boss: Browser) -> None:
    async with services.database.tenant_session(acme) as session:
        new = await services.clients.create(session, acme, MachineFactory(name="Ledger <Sync>"))
        await services.clients.rotate_secret(session, acme, new.client_id, timedelta(days=3))
        await session.execute(text("UPDATE oauth_client_secrets SET created_at = now() - interval '400 days'"))
    home = (await boss.get("/console")).text
    assert "1 app has an old secret that ends in 3 days" in home
    assert "The secret of Ledger &lt;Sync&gt; is older than a year" in home
    assert "sign in with a password alone" in home
    plan = (await boss.get("/console/plan")).text
    assert "Your plan is Enterprise" in plan
    assert "6,000" in plan


async def test_the_log_is_filtered_verified_and_exported(services: Services, acme: Tenant, boss: Browser) -> None:
    page = await boss.get("/console/audit?action=client.created")
    (event_id,) = re.findall(r"/console/audit/([0-9a-f-]{36})", page.text)
    event = await boss.get(f"/console/audit/{event_id}")
    assert "Ledger &lt;Sync&gt;" in event.text
    assert (await boss.get("/console/audit?since=yesterday")).status_code == 422
    assert (await boss.get("/console/audit?cursor=x")).status_code == 422
    await boss.get("/console/audit")
    done = await boss.post("/console/audit/verify")
    assert done.headers["location"] == "/console/audit"
    assert "The log is whole" in (await boss.get("/console/audit")).text
    assert "The log is whole" not in (await boss.get("/console/audit")).text, "it is said once"
    answer = await boss.post("/console/audit/export", format="csv", action="client.created")
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="audit-{acme.slug}-')
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["action"], row["target_name"]) for row in rows] == [("client.created", "Ledger <Sync>")]
    (exported,) = await events(services, acme, "audit.exported")
    assert (exported.actor_name, exported.details) == ("boss@people.example", {"action": "client.created"})


async def test_a_log_that_somebody_wrote_in_is_not_whole(
    services: Services, make_tenant: MakeTenant, app: FastAPI
) -> None:
    tenant = await make_tenant("free")
    async with administrator(app, services, tenant, roles=["owner"]) as boss:
        async with services.database.tenant_session(tenant) as session:
            await session.execute(text("UPDATE audit_events SET actor_name = 'nobody' WHERE position = 1"))
        page = await boss.get("/console/audit")
        assert "Your plan does not have the export" in page.text
        await boss.post("/console/audit/verify")
        assert "The log is not what was written. Event 1" in (await boss.get("/console/audit")).text
        refused = await boss.post("/console/audit/export", format="csv")
        assert refused.status_code == 403
        assert "See your plan" in refused.text


async def test_what_is_said_once_is_for_one_session(
    app: FastAPI, services: Services, acme: Tenant, boss: Browser
) -> None:
    await boss.get("/console/audit")
    await boss.post("/console/audit/verify")
    (sealed,) = (cookie.value for cookie in boss.http.cookies.jar if cookie.name.endswith("flash"))
    async with administrator(app, services, acme, email="mallory@people.example") as mallory:
        mallory.http.cookies.set("flash", sealed or "", domain=acme.host, path="/")
        assert "The log is whole" not in (await mallory.get("/console/audit")).text
