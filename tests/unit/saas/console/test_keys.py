"""Signing keys in the console: seen, and replaced by hand."""

from fastapi import FastAPI

from saas.identity.roles import Role
from saas.services import Services
from tenants.registry import Tenant
from tests.unit.saas.console.settings_world import administrator, age, events

KEYS = "/console/keys"


async def test_a_key_is_replaced_by_whoever_has_just_proved_who_they_are(
    app: FastAPI, services: Services, tenant: Tenant
) -> None:
    async with administrator(app, services, tenant) as here:
        assert "Replace now" in (await here.get(KEYS)).text
        await age(services, tenant, 1)
        late = await here.post(f"{KEYS}/rotate", algorithm="ES256")
        assert late.headers["location"] == f"/confirm?return_to={KEYS}&unsent=1"
        assert await events(services, tenant, "key.published") == []

        await age(services, tenant, 0)
        done = await here.post(f"{KEYS}/rotate", algorithm="ES256")
        assert (done.status_code, done.headers["location"]) == (303, KEYS)
        shown = (await here.get(KEYS)).text
        assert "The next ES256 key is published. It signs in 1 hour, by itself" in shown
        assert "Replace now" not in shown
        [event] = await events(services, tenant, "key.published")
        assert (event.actor_kind, event.details) == ("user", {"algorithm": "ES256"})

        await here.post(f"{KEYS}/rotate", algorithm="ES256")
        assert "published already" in (await here.get(KEYS)).text
        assert len(await events(services, tenant, "key.published")) == 1
        assert (await here.post(f"{KEYS}/rotate", algorithm="HS256")).status_code == 404


async def test_who_only_looks_replaces_nothing(app: FastAPI, services: Services, tenant: Tenant) -> None:
    async with services.database.tenant_session(tenant) as session:
        await services.roles.create(session, Role("looker", "Looks only", ("settings:read",)), by=None)
    async with administrator(app, services, tenant, roles=["looker"]) as here:
        assert "Replace now" not in (await here.get(KEYS)).text
        assert (await here.post(f"{KEYS}/rotate", algorithm="ES256")).status_code == 403
    assert await events(services, tenant, "key.published") == []
