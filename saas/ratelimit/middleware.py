"""Charges each request before the application sees it."""

import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from saas.ratelimit.charges import Charge
from saas.ratelimit.errors import RateLimited, TokenRevoked
from saas.ratelimit.headers import legacy_fields, rate_limit_fields
from saas.ratelimit.limiter import Limiter, LimitsUnavailable, Verdict
from saas.web.headers import add_headers
from saas.web.problems import render_problem

log = structlog.get_logger(__name__)

#: Seconds between two log lines about one tenant in the shadow.
_SHADOW_PAUSE: Final = 10.0


class RateLimitMiddleware:
    """Plain ASGI. `classify` says what to charge for a request; None where nothing is.

    It stands inside of what finds the tenant and the caller, since `classify` asks the scope for them. With `legacy`,
    answers carry `X-RateLimit-*` too.
    """

    def __init__(
        self, app: ASGIApp, limiter: Limiter, classify: Callable[[Scope], Charge | None], *, legacy: bool = False
    ) -> None:
        self._app = app
        self._limiter = limiter
        self._classify = classify
        self._legacy = legacy
        self._said: dict[UUID, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        charge = self._classify(scope) if scope["type"] == "http" else None
        if charge is None:
            await self._app(scope, receive, send)
            return
        try:
            verdict = await self._limiter.check(charge.subject, charge.limits, charge.cost, shadow=charge.shadow)
        except LimitsUnavailable as problem:
            await render_problem(problem)(scope, receive, send)
            return
        if verdict.revoked:
            await render_problem(TokenRevoked())(scope, receive, send)
            return
        if verdict.would_refuse:
            self._say(charge.subject.tenant_id, verdict)
        add_headers(scope, rate_limit_fields(verdict))
        if self._legacy:
            add_headers(scope, legacy_fields(verdict, time.time()))
        app = self._app if verdict.allowed else render_problem(RateLimited(verdict))
        try:
            await app(scope, receive, send)
        finally:
            if verdict.lease is not None:
                self._limiter.release(verdict.lease)

    def _say(self, tenant_id: UUID, verdict: Verdict) -> None:
        now = time.monotonic()
        if now < self._said.get(tenant_id, 0):
            return
        if len(self._said) >= 1000:  # noqa: PLR2004 - so many say enough
            self._said.clear()
        self._said[tenant_id] = now + _SHADOW_PAUSE
        pairs = zip(verdict.limits, verdict.standings, strict=True)
        log.info("Requests are served that would be refused", limits=[limit.name for limit, at in pairs if at.wait])
