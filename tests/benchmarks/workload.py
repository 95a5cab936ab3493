"""What the benchmarks act on: a tenant whose limits never bite, a machine client, and rows to read."""

import base64
from dataclasses import dataclass
from urllib.parse import quote

from saas.oauth.definition import ClientDefinition
from saas.onboarding.service import onboard
from saas.product.projects.models import ProjectRow
from saas.services import open_services
from saas.settings import Settings
from tenants.migrate.runner import migrate_platform

_UNLIMITED = 10**9
_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Workload:
    host: str
    client_id: str
    client_secret: str
    project_id: str

    def token_request(self) -> str:
        """A client credentials request as it goes over the wire."""
        body = "grant_type=client_credentials&scope=" + quote("projects:read")
        basic = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        return (
            f"POST /oauth2/token HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Basic {basic}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )


async def prepare() -> Workload:
    """Provision on the servers that the environment names."""
    async with open_services(Settings()) as services:
        await migrate_platform(services.database)
        async with services.database.platform_session() as session:
            await services.registry.set_plan_limits(
                session, "enterprise", requests_per_minute=_UNLIMITED, burst=_UNLIMITED, requests_per_day=_UNLIMITED
            )
        tenant = (
            await onboard(
                services.database,
                services.registry,
                services.keys,
                slug="bench",
                name="Bench",
                plan="enterprise",
                owner_email="owner@bench.example",
            )
        ).tenant
        async with services.database.tenant_session(tenant) as session:
            client = await services.clients.create(
                session,
                tenant,
                ClientDefinition(name="bench", grant_types=["client_credentials"], scopes=["projects:read"]),
            )
            rows = [
                ProjectRow(name=f"project {i}", description="", status="active", created_by=client.client_id)
                for i in range(_ROWS)
            ]
            session.add_all(rows)
            await session.flush()
            return Workload(tenant.host, client.client_id, client.secret, str(rows[0].id))
