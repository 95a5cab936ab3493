"""The OpenAPI document, as FastAPI makes it from the routes, corrected to what the API really answers."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from saas.web.problems import PROBLEM_TYPE

#: Stands for the tenant's issuer. The name can never be resolved (RFC 6761), so it can be nobody's issuer.
ISSUER: Final = "https://issuer.invalid"

_PROBLEM_SCHEMA: Final = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "description": "A URN that names the kind of problem"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What to do about it"},
        "errors": {
            "type": "array",
            "description": "What is wrong with the request, place by place",
            "items": {
                "type": "object",
                "required": ["in", "pointer", "message"],
                "properties": {
                    "in": {"type": "string", "enum": ["body", "query", "path", "header", "cookie"]},
                    "pointer": {"type": "string", "description": "RFC 6901"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
#: What FastAPI's own validation answer would look like; ours is a problem.
_NOT_OURS: Final = ("HTTPValidationError", "ValidationError")
#: The answers that are errors, by status: their name among the document's components, and what they mean.
_PROBLEMS: Final = {
    400: ("BadRequest", "The request cannot be read, or is for another tenant"),
    401: ("Unauthorized", "No access token, or a bad one"),
    403: ("Forbidden", "The token lacks the scope, or the plan does not allow it"),
    404: ("NotFound", "There is no such thing here"),
    409: ("Conflict", "What is there now does not allow it"),
    412: ("PreconditionFailed", "It was changed since the version of If-Match was read"),
    413: ("ContentTooLarge", "The body is too large"),
    422: ("Unprocessable", "The request does not have the expected form"),
    429: ("TooManyRequests", "A rate limit or a quota is used up"),
    503: ("Unavailable", "Temporarily unavailable"),
}
_RETRIED: Final = (429, 503)
#: What any operation may answer.
_ALWAYS: Final = (400, 429, 503)
_GUARDED: Final = (401, 403)
_WRITES: Final = frozenset({"post", "put", "patch", "delete"})
_HEADERS: Final[dict[str, Any]] = {
    "ETag": {"description": "The version, for If-Match and If-None-Match", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "`true` where the request was worked on before, and this is the answer it had then",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 0}},
}


class HasScope(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...


def openapi_document(app: FastAPI, scopes: Iterable[HasScope]) -> dict[str, Any]:
    """The document of one deployment, with `ISSUER` where each tenant's issuer belongs."""
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    document["servers"] = [{"url": ISSUER}]
    components = document.setdefault("components", {})
    for scheme in components.get("securitySchemes", {}).values():
        for flow in scheme.get("flows", {}).values():
            flow["tokenUrl"] = ISSUER + flow["tokenUrl"]
            flow["scopes"] = {scope.name: scope.description for scope in scopes}
    schemas = components.setdefault("schemas", {})
    for name in _NOT_OURS:
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM_SCHEMA
    components["headers"] = _HEADERS
    components["responses"] = {name: _problem(status, meaning) for status, (name, meaning) in _PROBLEMS.items()}
    for path, method, operation in _operations(document):
        _correct(path, method, operation)
    return document


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield path, method, operation


def _correct(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation.setdefault("responses", {})
    headers = {each["name"].lower() for each in operation.get("parameters", ()) if each["in"] == "header"}
    statuses = {*_ALWAYS, *(int(status) for status in responses if status == "422")}
    if "security" in operation:
        operation["security"] = [*_alternatives(operation["security"])]
        statuses.update(_GUARDED)
    for applies, status in (
        ("{" in path, 404),
        (method in _WRITES, 409),
        ("if-match" in headers, 412),
        ("requestBody" in operation, 413),
    ):
        if applies:
            statuses.add(status)
    for status in sorted(statuses):
        responses[str(status)] = {"$ref": f"#/components/responses/{_PROBLEMS[status][0]}"}
    if "if-none-match" in headers:
        responses["304"] = {"description": "Still the version of If-None-Match", "headers": _named("ETag")}
    _add_headers(responses, headers)


def _add_headers(responses: dict[str, Any], sent: set[str]) -> None:
    """To the answers of success, by what the request may say."""
    names = ["ETag"] if sent & {"if-match", "if-none-match"} else []
    names += ["Idempotency-Replayed"] if "idempotency-key" in sent else []
    for status, response in responses.items():
        if names and status in {"200", "201"}:
            response.setdefault("headers", {}).update(_named(*names))


def _named(*headers: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in headers}


def _alternatives(security: list[dict[str, list[str]]]) -> Iterator[dict[str, list[str]]]:
    """Requirements of which one must be met, from what `saas.access.guards.require` declares.

    There, one string holds alternatives, and several strings must all be met.
    """
    for requirement in security:
        for scheme, needs in requirement.items():
            combinations: list[list[str]] = [[]]
            for need in needs:
                combinations = [[*chosen, scope] for chosen in combinations for scope in need.split()]
            for chosen in combinations:
                yield {scheme: chosen}


def _problem(status: int, description: str) -> dict[str, Any]:
    content = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    response: dict[str, Any] = {"description": description, "content": content}
    return response | {"headers": _named("Retry-After")} if status in _RETRIED else response
