"""What follows the right password: a session, or before it a second step, or the choice of one; where it leads."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from saas.identity.browser import HOME, safe_target, see_other, start_session
from saas.identity.cookies import set_cookie
from saas.identity.factors import Factors
from saas.identity.pending import clear_pending, set_pending
from saas.web.pages import go_on

SECOND_STEP: Final = "/signin/second"
ENROL: Final = "/signin/enrol"
#: Where targets lead to other hosts in the end (see `go_on`).
PROTOCOL: Final = "/oauth2/"


def target_of(request: Request) -> str:
    """Where the person is going."""
    return safe_target(request.query_params.get("return_to")) or HOME


def with_target(path: str, target: str) -> str:
    return path if target == HOME else f"{path}?{urlencode({'return_to': target}, safe='/')}"


async def after_password(
    request: Request, session: AsyncSession, user_id: UUID, password_hash: str, target: str
) -> Response:
    """Of somebody whose row the caller has locked, and who has just given or chosen this password."""
    factors: Factors = await request.app.state.factors.of(session, user_id)
    if not factors.any and not factors.required:
        return arrive(request, await start_session(request, session, user_id), target)
    response = see_other(with_target(SECOND_STEP if factors.any else ENROL, target))
    set_pending(request, response, user_id, password_hash)
    return response


async def after_factor(
    request: Request, session: AsyncSession, user_id: UUID, amr: Iterable[str], target: str
) -> Response:
    """Of somebody who has proven by `amr` all that is asked of them."""
    return arrive(request, await start_session(request, session, user_id, amr), target)


def arrive(request: Request, cookie: str, target: str) -> Response:
    """Send the browser on to `target`, a path of ours, with its new session."""
    return admit(request, go_on(request, target) if target.startswith(PROTOCOL) else see_other(target), cookie)


def admit(request: Request, response: Response, cookie: str) -> Response:
    """Give the browser its session with this answer."""
    set_cookie(response, request.scope["tenant"], cookie, request.app.state.sessions.lifetime)
    clear_pending(request, response)
    return response
