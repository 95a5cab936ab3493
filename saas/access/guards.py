"""What a route needs of its caller, declared on the route: the check and its line in the OpenAPI document."""

from typing import Any, Final

from fastapi import Request, Security
from fastapi.openapi.models import OAuth2, OAuthFlowClientCredentials, OAuthFlows
from fastapi.security.base import SecurityBase

from saas.access.caller import Caller
from saas.access.errors import InsufficientScope, MissingToken

#: The name of the scheme in the OpenAPI document.
SCHEME: Final = "oauth2"
#: The token endpoint below a tenant's issuer; the served document has each tenant's own address (`saas.web.docs`).
TOKEN_PATH: Final = "/oauth2/token"  # noqa: S105 - a path


def require(*scopes: str) -> Any:
    """A dependency that lets through callers who hold at least one of `scopes`, or any caller where none is given.

    As a parameter, `caller: Annotated[Caller, require("projects:write")]`, or for the check alone,
    `dependencies=[require("projects:read")]`. Two of them on a route must both be met.

    Answers 401 to a missing or bad token and 403 to a token without the scope (RFC 6750 section 3.1).
    """
    # In the document, the scopes of one requirement must all be held; alternatives travel there as one string.
    return Security(_Guard(scopes), scopes=[" ".join(scopes)] if scopes else [])


class _Guard(SecurityBase):
    def __init__(self, scopes: tuple[str, ...]) -> None:
        self.model = OAuth2(
            flows=OAuthFlows(clientCredentials=OAuthFlowClientCredentials(tokenUrl=TOKEN_PATH)),
            description="An access token of this tenant, from its own authorization server.",
        )
        self.scheme_name = SCHEME
        self._scopes = scopes
        self._any_of = frozenset(scopes)

    async def __call__(self, request: Request) -> Caller:
        scope = request.scope
        caller: Caller | None = scope["caller"]
        if caller is None:
            raise scope["caller_error"] or MissingToken()
        if self._any_of and self._any_of.isdisjoint(caller.scopes):
            raise InsufficientScope(self._scopes)
        return caller
