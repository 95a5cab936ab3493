"""What the benchmarks act on: a tenant whose limits never bite, rows to read, a machine client, a person and an app."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import httpx

from saas.oauth.clients import NewClient
from saas.oauth.definition import ClientDefinition
from saas.oauth.grants.consents import remember
from saas.onboarding.service import onboard
from saas.product.projects.models import ProjectRow
from saas.services import Services, open_services
from saas.settings import Settings
from tenants.migrate.runner import migrate_platform
from tenants.plan_versions import set_plan
from tenants.registry import Tenant
from tests.benchmarks.processes import Step

#: Of a plan: what changes it so that its limits never bite.
UNLIMITED = {
    **dict.fromkeys(("requests_per_minute", "burst", "requests_per_day"), str(10**9)),
    **dict.fromkeys(("requests_per_month", "concurrent", "client_share", "user_share"), "none"),
}
_ROWS = 1000
_CALLBACK = "https://app.bench.example/callback"
_SCOPES = ("openid", "offline_access", "projects:read")
_VERIFIER = "a-verifier-that-is-long-enough-for-any-server-to-take-it"
_CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(_VERIFIER.encode()).digest()).rstrip(b"=").decode()
_TAKE_REFRESH = r'"refresh_token": ?"(?P<refresh>[^"]+)"'


@dataclass(frozen=True, slots=True)
class Workload:
    host: str
    machine: NewClient
    project_id: str
    app: NewClient
    #: Of a person who is signed in and has consented.
    cookie: str

    def api_request(self, port: int) -> Step:
        """Read a project, with a token that the server on `port` gives."""
        answer = httpx.post(
            f"http://127.0.0.1:{port}/oauth2/token",
            headers={"Host": self.host},
            auth=(self.machine.client_id, self.machine.secret),
            data={"grant_type": "client_credentials"},
        )
        answer.raise_for_status()
        token = answer.json()["access_token"]
        return get(f"/api/v1/projects/{self.project_id}", self.host, f"Authorization: Bearer {token}\r\n")

    def token(self) -> tuple[Step, ...]:
        """A client credentials request."""
        basic = base64.b64encode(f"{self.machine.client_id}:{self.machine.secret}".encode()).decode()
        return (self._post({"grant_type": "client_credentials", "scope": "projects:read"}, basic),)

    def code_flow(self) -> tuple[Step, ...]:
        """A code for a person who is signed in, and its redemption: access token, ID token, refresh token."""
        parameters = {
            "response_type": "code",
            "client_id": self.app.client_id,
            "redirect_uri": _CALLBACK,
            "scope": " ".join(_SCOPES),
            "state": "state",
            "code_challenge": _CHALLENGE,
            "code_challenge_method": "S256",
        }
        authorize = (
            f"GET /oauth2/authorize?{urlencode(parameters)} HTTP/1.1\r\nHost: {self.host}\r\n"
            f"Cookie: session={self.cookie}\r\n\r\n"
        )
        redemption = {"grant_type": "authorization_code", "redirect_uri": _CALLBACK, "code_verifier": _VERIFIER}
        return (
            Step(authorize, 302, r"[?&]code=(?P<code>[A-Za-z0-9_-]{43})"),
            self._of_app({**redemption, "code": "{code}"}, {"code": 43}),
        )

    def refresh(self) -> tuple[Step, ...]:
        """A rotation; what it begins with comes from `code_flow`."""
        return (self._of_app({"grant_type": "refresh_token", "refresh_token": "{refresh}"}, {"refresh": 66}),)

    def _of_app(self, form: dict[str, str], lengths: dict[str, int]) -> Step:
        basic = base64.b64encode(f"{self.app.client_id}:{self.app.secret}".encode()).decode()
        return self._post(form, basic, lengths, _TAKE_REFRESH)

    def _post(
        self, form: dict[str, str], basic: str, lengths: dict[str, int] | None = None, take: str | None = None
    ) -> Step:
        """`lengths`: of what will stand in the place of each `{name}`."""
        body = "&".join(
            f"{name}={value if value[:1] == '{' else quote(value, safe='')}" for name, value in form.items()
        )
        length = len(body) + sum(length - len(name) - 2 for name, length in (lengths or {}).items())
        return Step(
            f"POST /oauth2/token HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Basic {basic}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}",
            take=take,
        )


def get(path: str, host: str, headers: str = "") -> Step:
    return Step(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n")


async def prepare(plan: Mapping[str, str] = UNLIMITED) -> Workload:
    """Provision on the servers that the environment names; `plan` changes the tenant's."""
    async with open_services(Settings()) as services:
        await migrate_platform(services.database)
        async with services.database.platform_session() as session:
            await set_plan(session, "enterprise", plan)
        names = {"slug": "bench", "name": "Bench", "plan": "enterprise", "owner_email": "owner@bench.example"}
        onboarded = await onboard(services.database, services.registry, services.keys, **names)
        tenant = onboarded.tenant
        machine = await _client(
            services, tenant, name="machine", grant_types=["client_credentials"], scopes=["projects:read"]
        )
        app = await _client(
            services,
            tenant,
            name="app",
            grant_types=["authorization_code", "refresh_token"],
            scopes=_SCOPES,
            redirect_uris=[_CALLBACK],
        )
        cookie = await _person(services, tenant, app)
        return Workload(tenant.host, machine, await _project(services, tenant), app, cookie)


async def _client(services: Services, tenant: Tenant, **definition: object) -> NewClient:
    async with services.database.tenant_session(tenant) as session:
        return await services.clients.create(session, tenant, ClientDefinition(**definition))  # type: ignore[arg-type]  # as they are named there


async def _person(services: Services, tenant: Tenant, app: NewClient) -> str:
    """The cookie of somebody who has consented to the app."""
    async with services.database.tenant_session(tenant) as session:
        user = await services.users.create(session, tenant, email="ann@bench.example", name="Ann")
        cookie = await services.sessions.start(
            session, tenant, user.id, amr=["pwd"], address="127.0.0.1", user_agent="bench"
        )
    client = await services.clients.find(tenant, app.client_id)
    assert client is not None
    async with services.database.direct(tenant) as direct:
        await remember(direct, user.id, client.id, _SCOPES, datetime.now(UTC))
    return cookie


async def _project(services: Services, tenant: Tenant) -> str:
    """The id of one of many."""
    async with services.database.tenant_session(tenant) as session:
        rows = [
            ProjectRow(name=f"project {i}", description="", status="active", created_by="bench") for i in range(_ROWS)
        ]
        session.add_all(rows)
        await session.flush()
        return str(rows[0].id)
