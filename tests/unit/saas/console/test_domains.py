"""A tenant's own domains in the console."""

import asyncio
import re
import time
from collections.abc import Iterator
from html import unescape

import pytest
from fastapi import FastAPI

from saas.services import Services
from tenants.overrides import set_overrides
from tenants.registry import Tenant
from tests.conftest import MakeTenant
from tests.unit.saas.console.settings_world import Dns, administrator, age, events
from tests.unit.saas.identity.world import Browser

DOMAINS = "/console/domains"


@pytest.fixture
def dns(app: FastAPI) -> Iterator[Dns]:
    dns, before = Dns(), app.state.txt
    app.state.txt = dns
    yield dns
    app.state.txt = before


async def test_a_domain_is_added_proved_and_removed(app: FastAPI, services: Services, tenant: Tenant, dns: Dns) -> None:
    host = f"login.{tenant.slug}.example"
    async with administrator(app, services, tenant) as here:
        assert "No domain of your own yet" in (await here.get(DOMAINS)).text
        for typed, message in (
            ("", "Enter a domain"),
            ("no domain", "is not a domain name"),
            (f"x.{tenant.host}", "belongs to the platform"),
        ):
            wrong = await here.post(DOMAINS, host=typed)
            assert (wrong.status_code >= 400, message in wrong.text) == (True, True)
        assert (await here.post(DOMAINS, host=f"{host.upper()}.")).headers["location"] == DOMAINS
        page = unescape((await here.get(DOMAINS)).text)
        assert f"_saas-challenge.{host}" in page
        assert "Not looked at yet." in page
        assert (await here.post(DOMAINS, host=host)).headers["location"] == DOMAINS
        assert f"{host} is here already" in (await here.get(DOMAINS)).text
        value = re.findall(r"saas-verification=[\w-]+", page)[0]

        missing = await here.post(f"{DOMAINS}/look", host=host)
        assert (missing.status_code, "There is no such TXT record yet." in missing.text) == (409, True)
        assert "Last looked at" in missing.text
        dns.silent = True
        silent = await here.post(f"{DOMAINS}/look", host=host)
        assert (silent.status_code, "do not answer" in silent.text) == (503, True)
        dns.silent, dns.records = False, {f"_saas-challenge.{host}": ["<v=spf1>"]}
        other = await here.post(f"{DOMAINS}/look", host=host)
        assert "The TXT record says “&lt;v=spf1&gt;”." in other.text
        dns.silent, dns.records = False, {f"_saas-challenge.{host}": ["v=spf1", value]}
        assert (await here.post(f"{DOMAINS}/look", host=host)).headers["location"] == DOMAINS
        assert f"{host} is proved" in (await here.get(DOMAINS)).text

        await age(services, tenant, 1)
        late = await here.post(f"{DOMAINS}/remove", host=host)
        assert late.headers["location"] == f"/confirm?return_to={DOMAINS}&unsent=1"
        await age(services, tenant, 0)
        assert (await here.post(f"{DOMAINS}/remove", host=host)).status_code == 303
        assert (await here.post(f"{DOMAINS}/remove", host=host)).status_code == 404
        assert (await here.post(f"{DOMAINS}/look", host=host)).status_code == 404
    told = await events(services, tenant, "domain.added", "domain.verified", "domain.removed")
    assert [event.action for event in told] == ["domain.removed", "domain.verified", "domain.added"]
    assert {event.actor_kind for event in told} == {"user"}


async def test_the_plan_says_whether_and_how_many(
    app: FastAPI, services: Services, make_tenant: MakeTenant, dns: Dns
) -> None:
    tenant = await make_tenant(plan="pro")
    async with administrator(app, services, tenant) as here:
        async with services.database.platform_session() as session:
            await set_overrides(session, tenant.slug, {"domains": "1"}, None)
        await here.get(DOMAINS)
        await here.post(DOMAINS, host=f"one.{tenant.slug}.example")
        full = await here.post(DOMAINS, host=f"two.{tenant.slug}.example")
        assert (full.status_code, "allows 1 domain, and there are 1" in full.text) == (403, True)
        assert "1 of 1 that your plan includes" in full.text
        async with services.database.platform_session() as session:
            await services.registry.set_plan(session, tenant.slug, "free")
        await shown(here, "does not include custom domains")
        off = await here.post(DOMAINS, host=f"two.{tenant.slug}.example")
        assert (off.status_code, "does not include custom domains" in off.text) == (403, True)
        assert f"one.{tenant.slug}.example" in off.text
        assert f"two.{tenant.slug}.example" not in off.text
    assert dns.records == {}


async def shown(browser: Browser, words: str) -> None:
    """Once this process has heard of the change."""
    deadline = time.monotonic() + 10
    while words not in (await browser.get(DOMAINS)).text:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
