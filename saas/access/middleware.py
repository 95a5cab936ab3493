"""Who is calling: put into the request's scope. Nothing is refused here, routes say what they need (see `guards`)."""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send

from saas.access.errors import InvalidToken, RepeatedToken
from saas.access.verifier import TokenVerifier
from tenants.registry import Tenant

_SCHEME = b"bearer "


class BearerMiddleware:
    """Sets `scope["caller"]` to the Caller of a good token, `scope["caller_error"]` to what is wrong with a bad one.

    Both are None where no bearer token was sent in the Authorization header. A token in the query or in a form
    (RFC 6750 sections 2.2 and 2.3) is not looked for: those end up in logs and histories.
    """

    def __init__(self, app: ASGIApp, verifier: TokenVerifier) -> None:
        self.app = app
        self._verifier = verifier

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        tenant: Tenant | None = scope.get("tenant")
        scope["caller"] = scope["caller_error"] = None
        try:
            token = None if tenant is None else _bearer_token(scope)
        except RepeatedToken as problem:
            scope["caller_error"], token = problem, None
        if tenant is None or token is None:
            return self.app(scope, receive, send)
        return self._verified(tenant, token, scope, receive, send)

    async def _verified(self, tenant: Tenant, token: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            scope["caller"] = await self._verifier.verify(tenant, token)
        except InvalidToken as problem:
            scope["caller_error"] = problem
        await self.app(scope, receive, send)


def _bearer_token(scope: Scope) -> str | None:
    """The credentials of `Authorization: Bearer`; None for another scheme or no header. Raises RepeatedToken."""
    found: bytes | None = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            if found is not None:
                raise RepeatedToken
            found = value
    if found is None or found[: len(_SCHEME)].lower() != _SCHEME:
        return None
    return found[len(_SCHEME) :].strip().decode("latin-1")
