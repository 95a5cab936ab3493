"""The UserInfo endpoint (OpenID Connect Core section 5.3): what a client may know of the person behind its token."""

import json
from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from saas.access.caller import Caller
from saas.access.errors import InsufficientScope, InvalidToken, MissingToken
from saas.authserver.claims import claims_of
from saas.authserver.scopes import OPENID
from saas.oauth.grants.people import find_person

_NO_STORE: Final = {"Cache-Control": "no-store"}
_NOBODY: Final = "The person of the token is gone or disabled"


async def userinfo(request: Request) -> Response:
    """Claims of the token's scopes. Refuses after RFC 6750 section 3."""
    caller: Caller | None = request.scope["caller"]
    if caller is None:
        raise request.scope["caller_error"] or MissingToken()
    if OPENID not in caller.scopes:  # so it is a person's: no client has this scope for itself
        raise InsufficientScope([OPENID])
    person = await find_person(request.app.state.database, request.scope["tenant"], UUID(caller.subject))
    if person is None:
        raise InvalidToken(_NOBODY)
    claims = {"sub": caller.subject, **claims_of(person, caller.scopes)}
    return Response(json.dumps(claims, ensure_ascii=False), 200, _NO_STORE, "application/json")


routes: Final = [Route("/oauth2/userinfo", userinfo, methods=["GET", "POST"], name="userinfo_endpoint")]
