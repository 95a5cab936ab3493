"""Two tenants on a real database, and an application of the API's own parts around them."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from joserfc import jwt
from joserfc.jwk import Key

from saas.access.middleware import BearerMiddleware
from saas.access.routes import router as access_router
from saas.access.scopes import ScopeCatalogue
from saas.access.verifier import TokenVerifier
from saas.features import FEATURES
from saas.keys.service import KeyService
from saas.services import Services
from saas.web.docs import docs_routes
from saas.web.errors import install_error_handlers, render_tenancy_error
from saas.web.headers import AnswerHeadersMiddleware
from saas.web.middleware import BodyLimitMiddleware, RequestContextMiddleware
from tenants.changes import Changes
from tenants.database import Database
from tenants.middleware import TenantMiddleware
from tenants.registry import Registry, Tenant
from tenants.resolver import Resolver
from tests.conftest import MakeTenant

BODY_LIMIT = 64 * 1024
ALL_SCOPES = "projects:read projects:write"


@dataclass
class World:
    database: Database
    changes: Changes
    registry: Registry
    keys: KeyService
    acme: Tenant
    globex: Tenant
    #: Clients that are not live any more.
    revoked: set[str] = field(default_factory=set)
    app: FastAPI = field(default_factory=FastAPI)

    async def signing_key(self, tenant: Tenant) -> tuple[str, Key]:
        signer = (await self.keys.ring(tenant)).signer()
        return signer.kid, signer.key

    def claims(self, tenant: Tenant, /, **changed: Any) -> dict[str, Any]:
        """What a good token says, but for `changed`; None leaves a claim out."""
        now = int(time.time())
        claims = {
            "iss": tenant.issuer,
            "aud": tenant.issuer,
            "sub": "app_1",
            "client_id": "app_1",
            "iat": now,
            "exp": now + 600,
            "jti": uuid.uuid4().hex,
            "scope": ALL_SCOPES,
            "tenant": str(tenant.id),
        } | changed
        return {name: value for name, value in claims.items() if value is not None}

    async def token(self, tenant: Tenant, /, **changed: Any) -> str:
        kid, key = await self.signing_key(tenant)
        return jwt.encode({"typ": "at+jwt", "alg": "ES256", "kid": kid}, self.claims(tenant, **changed), key)

    def client(self, tenant: Tenant, token: str | None = None) -> AsyncClient:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return AsyncClient(transport=ASGITransport(self.app), base_url=tenant.issuer, headers=headers)


def build_app(world: World, verifier: TokenVerifier) -> FastAPI:
    app = FastAPI(title="Test", version="1", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.database = world.database
    app.state.catalogue = ScopeCatalogue(scope for feature in FEATURES for scope in feature.SCOPES)
    app.router.routes.extend(docs_routes(app))
    for router in (access_router, *(feature.api() for feature in FEATURES)):
        app.router.routes.extend(router.routes)
    install_error_handlers(app)
    app.add_middleware(BearerMiddleware, verifier=verifier)
    app.add_middleware(
        TenantMiddleware,
        resolver=Resolver(world.registry, frozenset({"api.localhost"})),
        on_error=render_tenancy_error,
        exempt={"/healthz", "/readyz"}.__contains__,
    )
    app.add_middleware(BodyLimitMiddleware, limit=BODY_LIMIT)
    app.add_middleware(RequestContextMiddleware)
    app.add_middleware(AnswerHeadersMiddleware, https=False)
    return app


@pytest.fixture(scope="package")
async def world(services: Services, make_tenant: MakeTenant) -> World:
    acme, globex = await make_tenant(plan="pro"), await make_tenant(plan="free")
    world = World(services.database, services.changes, services.registry, services.keys, acme, globex)

    async def client_is_live(_: Tenant, client_id: str, __: int) -> bool:
        return client_id not in world.revoked

    world.app = build_app(world, TokenVerifier(services.keys, client_is_live, services.changes))
    return world
