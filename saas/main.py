"""Where everything meets: the services of `saas.services` become an application. Nothing is configured elsewhere."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import fields
from importlib import import_module
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from saas.access.guards import TOKEN_PATH
from saas.access.middleware import BearerMiddleware
from saas.access.routes import router as access_router
from saas.api import routers as administration_routers
from saas.console.routes import routes as console_routes
from saas.features import FEATURES
from saas.identity import mailbox_pages
from saas.identity.pages import routes as identity_routes
from saas.kit.garbage import started, starting
from saas.kit.log import configure_logging
from saas.oauth.routes import SCRIPTED, token
from saas.oauth.routes import routes as oauth_routes
from saas.ratelimit.charges import Charges
from saas.ratelimit.costs import weights_of
from saas.ratelimit.middleware import RateLimitMiddleware
from saas.services import Services, build_services, kept_fresh
from saas.settings import Settings
from saas.web.api import API_PREFIX
from saas.web.assets import STATIC_PATHS, asset_routes
from saas.web.cors import CorsMiddleware
from saas.web.docs import docs_routes
from saas.web.error_pages import ErrorPagesMiddleware
from saas.web.errors import install_error_handlers, render_tenancy_error
from saas.web.headers import AnswerHeadersMiddleware
from saas.web.health import Check, health_routes
from saas.web.metrics import METRICS_PATH, metrics_route
from saas.web.middleware import BodyLimitMiddleware, RequestContextMiddleware
from saas.web.pages import handle_page_error
from saas.web.problems import PageError
from saas.web.shortcut import ShortcutMiddleware
from saas.worker.loop import working
from tenants.middleware import TenantMiddleware
from tenants.migrate.plan import readiness
from tenants.migrate.render import TENANT
from tenants.stale import FreshAttemptMiddleware
from tenants.waiting import Waiting

#: Paths that belong to the process and not to a tenant.
_PLATFORM_PATHS = STATIC_PATHS | {"/healthz", "/readyz", METRICS_PATH}


def create_app(settings: Settings, *, worker: bool = False) -> FastAPI:
    """The application, with services of its own that live as long as its lifespan; and a worker, if one is wanted."""
    services = build_services(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        _load_what_is_slow()
        for field in fields(Services):
            setattr(app.state, field.name, getattr(services, field.name))
        async with AsyncExitStack() as stack:
            stack.push_async_callback(services.close)
            await stack.enter_async_context(kept_fresh(services))
            if worker:
                await stack.enter_async_context(working(services))
            yield

    telemetry = settings.server.telemetry
    app = (FastAPI if telemetry else _Application)(
        title="SaaS backend",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        telemetry={"tracing": telemetry, "metrics": telemetry, "logs": telemetry},
    )
    # Those that are asked most come first: the router tries one after the other.
    for feature in FEATURES:
        app.router.routes.extend(feature.api().routes)
    app.router.routes.extend(
        [
            *oauth_routes,
            *identity_routes,
            *asset_routes,
            *health_routes(_checks(services), optional=_optional(settings)),
            metrics_route(services.metrics, settings.public.platform_hosts, settings.public.trusted_proxies),
        ]
    )
    for router in (access_router, *administration_routers):
        app.router.routes.extend(router.routes)
    app.router.routes.extend([*console_routes, *docs_routes(app)])
    if settings.mail.mailbox:
        app.router.routes.extend(mailbox_pages.routes)
    install_error_handlers(app)
    app.add_exception_handler(PageError, handle_page_error)
    _add_middleware(app, services)
    return app


class _Application(FastAPI):
    """Without what FastAPI puts around our layers, for ours do the same: they answer errors, and limit bodies."""

    def build_middleware_stack(self) -> ASGIApp:
        layer: Any = super().build_middleware_stack()
        while not isinstance(layer, AnswerHeadersMiddleware):
            layer = layer.app
        return layer


def create_app_from_env() -> FastAPI:
    """What a server process imports: settings from the environment, logs configured."""
    starting()
    settings = Settings()
    configure_logging(settings.log)
    app = create_app(settings)
    started()
    return app


def _load_what_is_slow() -> None:
    """What waits until it is needed, for a command may never need it: no request should be the one that waits."""
    import_module("saas.identity.ceremonies")
    _ = TENANT.older


def _add_middleware(app: FastAPI, services: Services) -> None:
    """The outermost stands last: a request passes them from the bottom of this list to its top."""
    settings = services.settings
    app.add_middleware(ShortcutMiddleware, method="POST", path=TOKEN_PATH, endpoint=token)
    charges = Charges(
        trusted_proxies=settings.public.trusted_proxies,
        per_address=settings.limits.per_address,
        weights=weights_of(app.router.routes),
    )
    legacy = settings.limits.legacy_headers
    app.add_middleware(RateLimitMiddleware, limiter=services.limiter, classify=charges, legacy=legacy)
    app.add_middleware(BearerMiddleware, verifier=services.verifier)
    app.add_middleware(
        TenantMiddleware,
        resolver=services.resolver,
        on_error=render_tenancy_error,
        exempt=_PLATFORM_PATHS.__contains__,
        waiting=Waiting(services.changes),
    )
    app.add_middleware(FreshAttemptMiddleware)
    app.add_middleware(BodyLimitMiddleware, limit=settings.server.body_limit)
    app.add_middleware(RequestContextMiddleware)
    app.add_middleware(CorsMiddleware, is_open=_is_open_to_scripts)
    app.add_middleware(ErrorPagesMiddleware, api_prefix=API_PREFIX)
    # Outside, since the one before it answers what nobody expected.
    app.add_middleware(AnswerHeadersMiddleware, https=settings.public.origin.scheme == "https")


def _is_open_to_scripts(path: str) -> bool:
    """Where no cookie counts, so that pages of any origin may call it; see `saas.web.cors`."""
    return path in SCRIPTED or path.startswith(f"{API_PREFIX}/")


def _checks(services: Services) -> Mapping[str, Check]:
    async def valkey() -> str | None:
        if gone := services.limiter.status():
            return gone
        await services.redis.ping()
        return None

    async def database() -> str | None:
        return await readiness(services.database)

    return {"database": database, "valkey": valkey}


def _optional(settings: Settings) -> frozenset[str]:
    """Without what a process serves, if less well: no load balancer should take all of them out at once."""
    return frozenset({"valkey"}) if settings.limits.without_valkey == "degrade" else frozenset()
