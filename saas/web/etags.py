"""Versions of what the API shows (RFC 9110 sections 8.8.3 and 13): not read twice, not overwritten unseen.

    @router.get("/{project_id}", openapi_extra=READS_ONE)
    async def read(project_id: UUID, request: Request, response: Response) -> Project:
        project = await service.find_project(...)
        tag(response, project.updated_at, request)          # 304 where the caller has this version
        return project

    @router.patch("/{project_id}")
    async def change(project_id: UUID, ..., session: TenantSession, expected: IfMatch, response: Response) -> Project:
        if expected:                                        # 412 where it is another version by now
            expected.check((await service.lock_project(session, project_id)).updated_at)
        project = await service.change_project(session, project_id, change)
        tag(response, project.updated_at)
        return project

A version is when the row was changed last, or the whole document. `If-Match` is checked in the transaction of the
change, on a row that is locked: what was true at the check is true at the commit.
"""

import re
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Final

from fastapi import Depends, Header
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from saas.web.problems import Problem

Version = datetime | BaseModel

_TAG: Final = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_MAX_LENGTH: Final = 2000
#: `openapi_extra` of a route that shows one thing. FastAPI does not parse the header: each request would pay for it.
READS_ONE: Final[dict[str, Any]] = {
    "parameters": [
        {
            "name": "If-None-Match",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "maxLength": _MAX_LENGTH},
            "description": "The `ETag` of what the caller has: 304 where it is still that",
        }
    ]
}


class NotModified(Exception):
    """What the caller has is what there is. As text: the entity tag of both."""


class ChangedMeanwhile(Problem):
    status = 412
    code = "changed-meanwhile"
    title = "Changed meanwhile"

    def __init__(self) -> None:
        super().__init__("It is not the version of If-Match any more: read it again, then repeat the change")


class Expected:
    """The versions of an If-Match header; false where there was none, or any would do."""

    def __init__(self, header: str | None) -> None:
        self._tags: frozenset[str] | None = None
        if header is not None and header.strip() != "*":
            # By strong comparison: a weak tag is equal to nothing.
            self._tags = frozenset(tag for weak, tag in _TAG.findall(header) if not weak)

    def __bool__(self) -> bool:
        return self._tags is not None

    def check(self, version: Version) -> None:
        """Raises ChangedMeanwhile."""
        if self._tags is not None and etag_of(version) not in self._tags:
            raise ChangedMeanwhile


async def _expected(
    if_match: Annotated[
        str | None,
        Header(max_length=_MAX_LENGTH, description="The `ETag` that was read: 412 where it is another by now"),
    ] = None,
) -> Expected:
    return Expected(if_match)


#: For routes that change or delete one thing.
IfMatch = Annotated[Expected, Depends(_expected)]


def etag_of(version: Version) -> str:
    if isinstance(version, datetime):
        return f'"{version.isoformat()}"'
    return f'"{sha256(version.model_dump_json().encode()).hexdigest()[:32]}"'


def tag(response: Response, version: Version, request: Request | None = None) -> None:
    """Say which version the answer shows. With the request of a GET: raises NotModified where its caller has that."""
    etag = etag_of(version)
    if request is not None:
        # As they came: this is asked of each request for one thing, and Starlette's headers cost ten times as much.
        for name, value in request.scope["headers"]:
            if name == b"if-none-match" and _has(value.decode("latin-1"), etag):
                raise NotModified(etag)
    response.raw_headers.append((b"etag", etag.encode()))


def _has(header: str, etag: str) -> bool:
    """By weak comparison."""
    return header.strip() == "*" or any(etag == known for _, known in _TAG.findall(header))
