"""The whole application, whose Valkey goes away."""

import httpx

from saas.main import create_app
from saas.oauth.definition import ClientDefinition
from saas.services import Services
from saas.settings import LimitsSettings, RedisSettings, Settings
from tenants.registry import Tenant
from tests.valkey import Valkey


async def test_it_serves_and_limits_and_refuses_what_is_revoked_and_says_how_it_is(
    settings: Settings, services: Services, tenant: Tenant, own_valkey: Valkey
) -> None:
    changed = {
        "redis": RedisSettings(url=own_valkey.url),
        "limits": LimitsSettings(timeout=0.3, failures=1, pause=0.2, legacy_headers=True),
    }
    app = create_app(settings.model_copy(update=changed))
    async with services.database.tenant_session(tenant) as session:
        definition = ClientDefinition(name="machine", grant_types=["client_credentials"], scopes=["projects:read"])
        made = await services.clients.create(session, tenant, definition)
    basic = (made.client_id, made.secret or "")
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=tenant.issuer) as client,
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as prober,
    ):
        answer = await client.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=basic)
        token = answer.json()["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert '"token";' in answer.headers["ratelimit-policy"]
        answer = await client.get("/api/v1/me", headers=bearer)
        assert answer.status_code == 200
        assert answer.headers["ratelimit"].startswith('"minute";r=')
        assert "x-ratelimit-remaining" in answer.headers
        assert '"address"' in (await client.get("/signin")).headers["ratelimit-policy"]
        assert (await prober.get("/readyz")).json()["status"] == "ok"

        own_valkey.kill()
        answer = await client.get("/api/v1/me", headers=bearer)
        assert answer.status_code == 200
        assert ";saas-degraded" in answer.headers["ratelimit"]
        answer = await prober.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert "by itself" in answer.json()["checks"]["valkey"]
        assert "saas_limiter_degraded{" in (metrics := (await prober.get("/metrics")).text)
        assert '"} 1.0' in metrics.partition("saas_limiter_degraded{")[2].partition("\n")[0]
        assert (await client.get("/metrics")).status_code == 404
        answer = await client.post("/oauth2/revoke", data={"token": token}, auth=basic)
        assert answer.status_code == 200
        assert (await client.get("/api/v1/me", headers=bearer)).status_code == 401
