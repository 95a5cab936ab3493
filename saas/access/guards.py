"""What a route needs of its caller, declared on the route: the check and its line in the OpenAPI document."""

from typing import Any, Final

from fastapi import Depends, Request, Security
from fastapi.openapi.models import OAuth2, OAuthFlowClientCredentials, OAuthFlows
from fastapi.security.base import SecurityBase

from saas.access.caller import Caller
from saas.access.errors import InsufficientScope, MissingToken
from saas.web.deps import CurrentTenant
from tenants.plans import FEATURES, require_feature

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


def requires_feature(feature: str) -> Any:
    """A dependency that lets through tenants whose plan switches the feature on: one of `tenants.plans.FEATURES`.

    On a route, `dependencies=[requires_feature("audit-export")]`; a page and a service call `require_feature` with the
    tenant's plan themselves. Answers 403 with a problem that names the plan and the feature.
    """
    if feature not in FEATURES:
        raise ValueError(f"There is no feature {feature!r}: enter it in tenants.plans.FEATURES")

    async def check(tenant: CurrentTenant) -> None:
        require_feature(tenant.plan, feature)

    return Depends(check)


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
