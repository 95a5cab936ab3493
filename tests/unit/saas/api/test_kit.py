"""What every route of the API has: a scope, and where it makes sense, a key against repetition and a version."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from saas.web.openapi import openapi_document

API = "/api/v1"
#: Any token will do: they tell callers about themselves.
NO_SCOPE = {"GET /me", "GET /scopes"}
NO_KEY = {
    "POST /domains/{host}/verify",  # asks name servers, between transactions; asking again does no harm
}
#: An event does not change; of the others, more is shown than their version tells of.
NO_VERSION_READ = {"GET /audit/{event_id}", "GET /roles/{name}", "GET /users/{user_id}"}
#: What only ends: there is nothing about it that somebody else could have changed meanwhile.
NO_VERSION_CHANGED = {
    "DELETE /consents/{consent_id}",
    "DELETE /domains/{host}",
    "DELETE /users/{user_id}",  # an invitation that nobody has accepted
    "DELETE /users/{user_id}/sessions/{session_id}",
    "PUT /domains/{host}",  # adds it, and changes none
}


@pytest.fixture(scope="module")
def operations(app: FastAPI) -> dict[str, dict[str, Any]]:
    """By method and path."""
    document = openapi_document(app, app.state.catalogue)
    return {
        f"{method.upper()} {path.removeprefix(API)}": operation
        for path, of_path in document["paths"].items()
        if path.startswith(API)
        for method, operation in of_path.items()
    }


def headers(operation: dict[str, Any]) -> set[str]:
    return {each["name"].lower() for each in operation.get("parameters", ()) if each["in"] == "header"}


def without(operations: dict[str, dict[str, Any]], header: str, *methods: str) -> Iterator[str]:
    for name, operation in operations.items():
        if name.split()[0] in methods and header not in headers(operation):
            yield name


def test_every_route_has_a_scope(operations: dict[str, dict[str, Any]]) -> None:
    assert len(operations) > 20
    scopeless = {name for name, each in operations.items() if not any(s for r in each["security"] for s in r.values())}
    assert scopeless == NO_SCOPE


def test_what_is_posted_may_be_sent_twice(operations: dict[str, dict[str, Any]]) -> None:
    assert set(without(operations, "idempotency-key", "POST")) == NO_KEY


def test_what_is_one_thing_has_a_version(operations: dict[str, dict[str, Any]]) -> None:
    one = {name: each for name, each in operations.items() if name.endswith("}")}
    assert set(without(one, "if-none-match", "GET")) == NO_VERSION_READ
    assert set(without(operations, "if-match", "PUT", "PATCH", "DELETE")) == NO_VERSION_CHANGED


def test_every_status_of_success_is_said_with_its_form(operations: dict[str, dict[str, Any]]) -> None:
    for name, operation in operations.items():
        good = {status for status in operation["responses"] if status.startswith("2")}
        assert good, name
        assert "default" not in operation["responses"], name
