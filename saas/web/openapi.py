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
_GUARDED: Final = {"401": "No access token, or a bad one", "403": "The token lacks the scope"}


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
    for operation in _operations(document):
        _correct(operation)
    return document


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def _correct(operation: dict[str, Any]) -> None:
    responses = operation.setdefault("responses", {})
    if "security" in operation:
        operation["security"] = [*_alternatives(operation["security"])]
        for status, meaning in _GUARDED.items():
            responses[status] = _problem(meaning)
    if "422" in responses:
        responses["422"] = _problem("The request does not have the expected form")
    responses["default"] = _problem("Anything else that went wrong")


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


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {PROBLEM_TYPE: {"schema": schema}}}
