"""Errors on the API: RFC 9457 problem+json. An error class carries its status; one function renders it."""

import json
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

PROBLEM_TYPE: Final = "application/problem+json"
#: Problem types are URNs: stable names, not addresses that promise a page.
_TYPE_PREFIX: Final = "urn:saas:problem:"


class Problem(Exception):
    """Base of errors that a client is told of. `detail` says what to do; `extra` adds members to the document."""

    status: int = 500
    code: str = "internal-error"
    title: str = "Internal error"

    def __init__(
        self,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})


class NotFound(Problem):
    status = 404
    code = "not-found"
    title = "Not found"


class Conflict(Problem):
    status = 409
    code = "conflict"
    title = "Conflict"


class BodyTooLarge(Problem):
    status = 413
    code = "body-too-large"
    title = "Body too large"


class InvalidRequest(Problem):
    status = 422
    code = "invalid-request"
    title = "Invalid request"


class PageError(Problem):
    """An error that a person sees as a page: `title` says what is wrong, `detail` what to do now."""

    status = 400
    code = "bad-request"
    title = "That did not work"


def problem_response(
    status: int,
    code: str,
    title: str,
    detail: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Response:
    document: dict[str, Any] = {"type": _TYPE_PREFIX + code, "title": title, "status": status}
    if detail:
        document["detail"] = detail
    document.update(extra or {})
    return Response(
        json.dumps(document, ensure_ascii=False, separators=(",", ":")),
        status,
        {"Cache-Control": "no-store", **(headers or {})},
        PROBLEM_TYPE,
    )


def render_problem(problem: Problem) -> Response:
    return problem_response(
        problem.status,
        problem.code,
        problem.title,
        problem.detail,
        headers=problem.headers,
        extra=problem.extra,
    )
