"""Many tenants in a hurry, through the product's own code: each has all its tables and a client, and is one commit."""

import asyncio
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from saas.authserver.tokens import Issuer, TokenResponses
from saas.oauth.definition import ClientDefinition
from saas.product.projects.models import ProjectRow
from saas.services import Services, open_services
from saas.settings import Settings
from tenants.base import new_id
from tenants.database import DEFAULT
from tenants.migrate.render import TENANT
from tenants.migrate.runner import make_schema, migrate_platform
from tenants.models import TenantRow
from tenants.names import schema_name
from tenants.plan_versions import set_plan
from tenants.registry import Tenant
from tests.benchmarks.workload import UNLIMITED

_PROJECTS = 20
_SCOPE = "projects:read"


@dataclass(frozen=True, slots=True)
class Made:
    """A tenant with something to read, and an access token that may."""

    host: str
    project: str
    token: str


def populate(count: int, processes: int) -> list[Made]:
    """On the servers that the environment names, where nothing is yet."""
    asyncio.run(_prepare())
    parts = [list(range(first, count, processes)) for first in range(min(processes, count))]
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        return [made for part in pool.map(_make, parts) for made in part]


async def _prepare() -> None:
    """The platform, with a plan that never bites."""
    async with open_services(Settings()) as services:
        await migrate_platform(services.database)
        async with services.database.platform_session() as session:
            await set_plan(session, "enterprise", UNLIMITED)


def _make(numbers: list[int]) -> list[Made]:
    """In a process of its own; one after the other, since whoever makes tables makes all others look them up anew."""
    return asyncio.run(_make_all(numbers))


async def _make_all(numbers: list[int]) -> list[Made]:
    async with open_services(Settings()) as services:
        return [await _one(services, number) for number in numbers]


async def _one(services: Services, number: int) -> Made:
    slug, identity = f"b{number:05}", new_id()
    row = TenantRow(id=identity, slug=slug, name=slug, host=services.registry.origin.host_of(slug), plan="enterprise")
    row.schema, row.database, row.revision, row.status = schema_name(identity), DEFAULT, TENANT.head, "active"
    definition = ClientDefinition(name="bench", grant_types=["client_credentials"], scopes=[_SCOPE])
    words = {"description": "", "status": "active", "created_by": "bench"}
    projects = [ProjectRow(name=f"project {i}", **words) for i in range(_PROJECTS)]
    async with services.database.tenant_session(row) as session:
        await make_schema(session, row.schema)
        session.add_all([row, *projects])
        await session.flush()
        tenant = await services.registry.get(session, slug)
        await services.keys.create_first(session, tenant.id)
        client_id, _ = await services.clients.create(session, tenant, definition)
    return Made(tenant.host, str(projects[0].id), await _token(services, tenant, client_id))


async def _token(services: Services, tenant: Tenant, client_id: str) -> str:
    """As the token endpoint would give it."""
    client, ring = await services.clients.find(tenant, client_id), await services.keys.ring(tenant)
    assert client is not None
    issuer = Issuer(tenant.issuer, str(tenant.id), ring.signer(), services.settings.tokens.access_ttl)
    responses = TokenResponses(issuer, (), int(time.time()))
    token: str = responses.of_client(client, _SCOPE, None)["access_token"]
    return token
