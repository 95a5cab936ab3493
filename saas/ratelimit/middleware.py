"""Charges each request before the application sees it."""

from collections.abc import Callable
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from saas.ratelimit.decision import Limit
from saas.ratelimit.errors import RateLimited, TokenRevoked
from saas.ratelimit.headers import rate_limit_fields
from saas.ratelimit.limiter import Limiter, Subject
from saas.web.problems import render_problem


class Charge(NamedTuple):
    """What a request costs, and whom."""

    subject: Subject
    limits: tuple[Limit, ...]
    cost: int = 1


class RateLimitMiddleware:
    """Plain ASGI. `classify` says what to charge for a request; None where nothing is.

    It stands inside of what finds the tenant and the caller, since `classify` asks the scope for them.
    """

    def __init__(self, app: ASGIApp, limiter: Limiter, classify: Callable[[Scope], Charge | None]) -> None:
        self._app = app
        self._limiter = limiter
        self._classify = classify

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        charge = self._classify(scope) if scope["type"] == "http" else None
        if charge is None:
            await self._app(scope, receive, send)
            return
        verdict = await self._limiter.check(*charge)
        if verdict.revoked:
            await render_problem(TokenRevoked())(scope, receive, send)
            return
        fields = rate_limit_fields(verdict)

        async def send_with_fields(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *fields]
            await send(message)

        app = self._app if verdict.allowed else render_problem(RateLimited(verdict))
        await app(scope, receive, send_with_fields)
