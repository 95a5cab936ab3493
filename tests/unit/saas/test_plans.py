"""What a tenant's plan caps, asked for over HTTP in the whole application."""

import asyncio
import json

import pytest
from joserfc.jws import extract_compact
from sqlalchemy import text

from saas.oauth.definition import ClientDefinition
from saas.services import Services
from tenants.errors import CapReached
from tenants.overrides import set_overrides
from tenants.registry import Tenant
from tests.conftest import MakeMachine

PATH = "/api/v1/projects"


async def test_a_plan_caps_tokens_clients_and_projects(
    services: Services, tenant: Tenant, machine: MakeMachine
) -> None:
    caps = {"projects": "1", "clients": "2", "token_lifetime": "60"}
    async with services.database.platform_session() as session:
        await set_overrides(session, tenant.slug, caps, None)
        capped = await services.registry.get(session, tenant.slug)
    one, two = await machine(capped), await machine(capped)
    claims = json.loads(extract_compact(one.headers["Authorization"].split()[1].encode()).payload)
    assert claims["exp"] - claims["iat"] == 60

    definition = ClientDefinition(name="Third", grant_types=["client_credentials"], scopes=["projects:read"])
    async with services.database.tenant_session(capped) as session:
        with pytest.raises(CapReached, match="allows 2 clients, and there are 2"):
            await services.clients.create(session, capped, definition)

    answers = await asyncio.gather(*(each.post(PATH, json={"name": "Apollo"}) for each in (one, two)))
    made, refused = sorted(answers, key=lambda answer: answer.status_code)
    assert (made.status_code, refused.status_code) == (201, 403)
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json() == {
        "type": "urn:saas:problem:plan-cap-reached",
        "title": "The plan's cap is reached",
        "status": 403,
        "detail": "The plan enterprise allows 1 project, and there are 1: remove one that is not needed, or ask for a "
        "larger plan",
        "plan": "enterprise",
        "cap": "projects",
        "limit": 1,
        "count": 1,
    }
    async with services.database.tenant_session(capped) as session:
        assert await session.scalar(text("SELECT count(*) FROM projects")) == 1
        await services.clients.revoke(session, capped, claims["client_id"])
        await services.clients.create(session, capped, definition)
