import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from starlette.types import Receive, Scope, Send

from saas.access.guards import requires_feature
from saas.web.errors import install_error_handlers
from tests.factories import PlanFactory, TenantFactory


async def ask(*features: str) -> tuple[int, dict[str, object]]:
    """A route that needs the export of the audit log, at a tenant whose plan has these features."""
    tenant = TenantFactory(plan=PlanFactory(features=frozenset(features)))
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/export", dependencies=[requires_feature("audit-export")])
    async def export() -> dict[str, object]:
        return {}

    async def at_tenant(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "tenant": tenant}, receive, send)

    async with AsyncClient(transport=ASGITransport(at_tenant), base_url="http://acme.localhost") as client:
        answer = await client.get("/export")
    return answer.status_code, answer.json()


async def test_a_route_is_open_to_plans_that_have_its_feature() -> None:
    assert await ask("audit-export", "custom-domains") == (200, {})
    status, problem = await ask("custom-domains")
    assert (status, problem["type"]) == (403, "urn:saas:problem:feature-not-in-plan")
    assert (problem["plan"], problem["feature"]) == ("free", "audit-export")


def test_a_feature_that_nobody_entered_is_a_slip() -> None:
    with pytest.raises(ValueError, match="FEATURES"):
        requires_feature("teleportation")
