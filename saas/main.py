"""Where everything meets: the services of `saas.services` become an application. Nothing is configured elsewhere."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import fields

from fastapi import FastAPI
from starlette.types import Scope

from saas.access.guards import TOKEN_PATH
from saas.access.middleware import BearerMiddleware
from saas.access.routes import router as access_router
from saas.features import FEATURES
from saas.identity import mailbox_pages
from saas.identity.pages import routes as identity_routes
from saas.kit.log import configure_logging
from saas.oauth.routes import routes as oauth_routes
from saas.oauth.routes import token
from saas.ratelimit.limiter import Subject
from saas.ratelimit.middleware import Charge, RateLimitMiddleware
from saas.ratelimit.policy import limits_for
from saas.services import Services, build_services, kept_fresh
from saas.settings import Settings
from saas.web.address import client_address
from saas.web.assets import STATIC_PATHS, asset_routes
from saas.web.docs import docs_routes
from saas.web.error_pages import ErrorPagesMiddleware
from saas.web.errors import install_error_handlers, render_tenancy_error
from saas.web.health import Check, health_routes
from saas.web.middleware import BodyLimitMiddleware, RequestContextMiddleware, SecurityHeadersMiddleware
from saas.web.pages import handle_page_error
from saas.web.problems import PageError
from saas.web.shortcut import ShortcutMiddleware
from saas.worker.loop import working
from tenants.middleware import TenantMiddleware
from tenants.migrate.plan import readiness
from tenants.registry import Tenant
from tenants.waiting import Waiting

API_PREFIX = "/api/v1"
#: Paths that belong to the process and not to a tenant.
_PLATFORM_PATHS = STATIC_PATHS | {"/healthz", "/readyz"}
#: Where clients authenticate: whoever asks is not known before.
_CLIENT_PATHS = frozenset(
    {"/oauth2/token", "/oauth2/revoke", "/oauth2/introspect", "/oauth2/device_authorization", "/oauth2/par"}
)


def create_app(settings: Settings, *, worker: bool = False) -> FastAPI:
    """The application, with services of its own that live as long as its lifespan; and a worker, if one is wanted."""
    services = build_services(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        for field in fields(Services):
            setattr(app.state, field.name, getattr(services, field.name))
        async with AsyncExitStack() as stack:
            stack.push_async_callback(services.close)
            await stack.enter_async_context(kept_fresh(services))
            if worker:
                await stack.enter_async_context(working(services))
            yield

    telemetry = settings.server.telemetry
    app = FastAPI(
        title="SaaS backend",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        generate_unique_id_function=lambda route: route.name,
        telemetry={"tracing": telemetry, "metrics": telemetry, "logs": telemetry},
    )
    # Those that are asked most come first: the router tries one after the other.
    app.include_router(access_router, prefix=API_PREFIX)
    for feature in FEATURES:
        app.include_router(feature.router, prefix=API_PREFIX)
    app.router.routes.extend([*health_routes(_checks(services)), *oauth_routes, *docs_routes(app)])
    app.router.routes.extend([*identity_routes, *asset_routes])
    if settings.mail.mailbox:
        app.router.routes.extend(mailbox_pages.routes)
    install_error_handlers(app)
    app.add_exception_handler(PageError, handle_page_error)
    _add_middleware(app, services)
    return app


def create_app_from_env() -> FastAPI:
    """What a server process imports: settings from the environment, logs configured."""
    settings = Settings()
    configure_logging(settings.log)
    return create_app(settings)


def _add_middleware(app: FastAPI, services: Services) -> None:
    """The outermost stands last: a request passes them from the bottom of this list to its top."""
    settings = services.settings
    app.add_middleware(ShortcutMiddleware, method="POST", path=TOKEN_PATH, endpoint=token)
    app.add_middleware(RateLimitMiddleware, limiter=services.limiter, classify=_charge_of(settings))
    app.add_middleware(BearerMiddleware, verifier=services.verifier)
    app.add_middleware(
        TenantMiddleware,
        resolver=services.resolver,
        on_error=render_tenancy_error,
        exempt=_PLATFORM_PATHS.__contains__,
        waiting=Waiting(services.changes),
    )
    app.add_middleware(BodyLimitMiddleware, limit=settings.server.body_limit)
    app.add_middleware(RequestContextMiddleware)
    app.add_middleware(ErrorPagesMiddleware, api_prefix=API_PREFIX)
    # Outside, since the one before it answers what nobody expected.
    app.add_middleware(SecurityHeadersMiddleware, https=settings.public.origin.scheme == "https")


def _checks(services: Services) -> Mapping[str, Check]:
    async def valkey() -> None:
        await services.redis.ping()

    async def database() -> str | None:
        return await readiness(services.database)

    return {"database": database, "valkey": valkey}


def _charge_of(settings: Settings) -> Callable[[Scope], Charge | None]:
    """What a request is counted against: the tenant's plan, and where clients authenticate, before anybody is known,
    the plan's limits for each address, so that a stranger cannot use up what belongs to the tenant."""

    def charge(scope: Scope) -> Charge | None:
        tenant: Tenant | None = scope.get("tenant")
        if tenant is None:
            return None
        path: str = scope["path"]
        caller = scope["caller"]
        if caller is not None:
            return Charge(Subject(tenant.id, caller.token_ids), limits_for(tenant.plan))
        if path in _CLIENT_PATHS:
            address = client_address(scope, settings.public.trusted_proxies)
            return Charge(Subject(tenant.id, bucket=f"token:{address}"), limits_for(tenant.plan))
        return None

    return charge
