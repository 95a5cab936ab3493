"""Every error of the API as problem+json (RFC 9457)."""

from collections.abc import Sequence
from http.client import responses as phrases
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from saas.web.etags import NotModified
from saas.web.problems import BodyTooLarge, InvalidRequest, NotFound, Problem, problem_response, render_problem
from tenants.errors import TenancyError

log = structlog.get_logger(__name__)

#: A body can be wrong in more places than anybody wants to read.
_MAX_ERRORS: Final = 20
_MAX_POINTER: Final = 200
_KNOWN: Final[dict[int, type[Problem]]] = {kind.status: kind for kind in (NotFound, BodyTooLarge, InvalidRequest)}
_HANDLED: Final = (
    Problem,
    TenancyError,
    RequestValidationError,
    HTTPException,
    PoolTimeout,
    DBAPIError,
    ConnectionError,
)


class Unavailable(Problem):
    status = 503
    code = "unavailable"
    title = "Temporarily unavailable"


def install_error_handlers(app: FastAPI) -> None:
    """For what routes raise. `saas.web.middleware.RequestContextMiddleware` answers what is raised further out."""
    app.add_exception_handler(NotModified, _not_modified)
    for kind in _HANDLED:
        app.add_exception_handler(kind, _handle)


def render_error(error: Exception) -> Response | None:
    """The answer to an error that a client is told of; None for one that nobody expected."""
    match error:
        case Problem():
            return render_problem(error)
        case TenancyError():
            return render_tenancy_error(error)
        case RequestValidationError():
            return _render_validation_error(error)
        case HTTPException():
            return _render_http_exception(error)
        case PoolTimeout() | ConnectionError() | DBAPIError(connection_invalidated=True):
            log.warning("No connection for a request", error=type(error).__name__)
            return render_problem(Unavailable("Try again in a moment", headers={"Retry-After": "1"}))
    return None


def render_tenancy_error(error: TenancyError) -> Response:
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else None
    return problem_response(error.status, error.code, error.title, str(error), headers=headers, extra=error.members)


def render_unexpected(request_id: str) -> Response:
    """Where to look for what went wrong, and nothing of what it was."""
    detail = "Something went wrong here. If you report it, add the request id."
    return render_problem(Problem(detail, extra={"request_id": request_id}))


async def _handle(_: Request, error: Exception) -> Response:
    response = render_error(error)
    if response is None:
        raise error
    return response


async def _not_modified(_: Request, error: Exception) -> Response:
    return Response(status_code=304, headers={"ETag": str(error)})


def _render_http_exception(error: HTTPException) -> Response:
    """What Starlette and FastAPI raise by themselves: no route, a wrong method, an unreadable body."""
    phrase = phrases.get(error.status_code, "Error")
    kind = _KNOWN.get(error.status_code)
    return problem_response(
        error.status_code,
        kind.code if kind else phrase.lower().replace(" ", "-"),
        kind.title if kind else phrase.capitalize(),
        "" if error.detail == phrase else str(error.detail),
        headers=error.headers,
    )


def _render_validation_error(error: RequestValidationError) -> Response:
    found = [_where(detail["loc"]) | {"message": detail["msg"]} for detail in error.errors()[:_MAX_ERRORS]]
    return render_problem(InvalidRequest("The request does not have the expected form", extra={"errors": found}))


def _where(loc: Sequence[str | int]) -> dict[str, Any]:
    """`("body", "tags", 0)` as the part of the request and a JSON pointer (RFC 6901) into it. Values are not echoed."""
    path = [str(part).replace("~", "~0").replace("/", "~1") for part in loc[1:]]
    return {"in": loc[0], "pointer": "".join(f"/{part}" for part in path)[:_MAX_POINTER]}
