"""`Idempotency-Key` for the POST routes of a router.

    router = api_router("/projects", "Projects", route_class=KeyedRoute)

Nothing more is needed: `router.post` then takes the header, after the caller was let through and the body was found
good. The endpoint works in the request's transaction (`saas.web.deps.TenantSession`), in which its answer is kept too.
What fails is not kept: it has changed nothing, and may be sent again under the same key.
"""

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import wraps
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Depends, Header
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from saas.access.caller import Caller
from saas.idempotency.service import Answer, Keyed, claim, keep
from saas.kit.crypto import Sealer
from saas.web.deps import TenantSession

HEADER: Final = "Idempotency-Key"
MAX_LENGTH: Final = 255
_REPLAYED: Final = "Idempotency-Replayed"
#: Headers of an answer that are kept with it.
_KEPT: Final = ("content-type", "location", "etag")
#: In the ASGI scope: the key that came with the request.
_IN_SCOPE: Final = "idempotency"


@dataclass(slots=True)
class _Claim:
    """A key, and what works on it."""

    keyed: Keyed
    session: AsyncSession
    sealer: Sealer
    #: This request does the work, so its answer is kept.
    taken: bool = False

    async def take(self) -> Answer | None:
        """The answer that was given before."""
        known = await claim(self.session, self.sealer, self.keyed)
        self.taken = known is None
        return known

    async def keep(self, response: Response) -> None:
        headers = {name: response.headers[name] for name in _KEPT if name in response.headers}
        await keep(self.session, self.sealer, self.keyed, Answer(response.status_code, headers, bytes(response.body)))


async def _claim_of(
    request: Request,
    session: TenantSession,
    key: Annotated[
        str | None,
        Header(
            alias=HEADER,
            min_length=1,
            max_length=MAX_LENGTH,
            pattern=r"^[!-~]+$",
            description="Chosen by the caller, new for each request: sent again within 24 hours, the request has the "
            "same answer and takes effect once",
        ),
    ] = None,
) -> _Claim | None:
    """None where there is no key, or nobody whose key it would be."""
    caller: Caller | None = request.scope["caller"]
    if key is None or caller is None:
        return None
    keyed = Keyed(
        tenant_id=request.scope["tenant"].id,
        client_id=caller.client_id,
        subject=caller.subject,
        key=key,
        method=request.method,
        path=request.scope["path"],
        fingerprint=sha256(request.scope["query_string"] + b"\0" + await request.body()).digest(),
    )
    given = request.scope[_IN_SCOPE] = _Claim(keyed, session, request.app.state.sealer)
    return given


_ADDED: Final = inspect.Parameter(
    "idempotency_claim", inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[_Claim | None, Depends(_claim_of)]
)


class KeyedRoute(APIRoute):
    """Takes an Idempotency-Key where its method is POST; any other route is as it always was."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self._keyed = "POST" in (options.get("methods") or ())
        super().__init__(path, _claiming(endpoint) if self._keyed else endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if not self._keyed:
            return handle

        async def handle_and_keep(request: Request) -> Response:
            """The transaction is open until the answer is made, see `saas.web.deps`."""
            response = await handle(request)
            given: _Claim | None = request.scope.pop(_IN_SCOPE, None)
            if given is not None and given.taken and response.status_code < HTTPStatus.MULTIPLE_CHOICES:
                await given.keep(response)
            return response

        return handle_and_keep


def _claiming(endpoint: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The endpoint, not asked where its answer is known. Who may not call it learns nothing: they do not come here."""

    @wraps(endpoint)
    async def claiming(*given: Any, idempotency_claim: _Claim | None, **named: Any) -> Any:
        if idempotency_claim is not None:
            known = await idempotency_claim.take()
            if known is not None:
                return Response(known.body, known.status, {**known.headers, _REPLAYED: "true"})
        return await endpoint(*given, **named)

    signature = inspect.signature(endpoint)
    parameters = [*signature.parameters.values(), _ADDED]
    claiming.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # what FastAPI reads
    return claiming
