"""What can be wrong with a client that is being managed. What is wrong with a protocol request is in the engine."""

from collections.abc import Mapping

from saas.web.problems import Conflict, InvalidRequest, NotFound


class ClientNotFound(NotFound):
    code = "unknown-client"
    title = "Unknown client"


class InvalidClientDefinition(InvalidRequest):
    """`problems`: what is wrong with which field, where it is a field's fault."""

    code = "invalid-client"
    title = "Invalid client"

    def __init__(self, detail: str, *, problems: Mapping[str, str] | None = None) -> None:
        errors = [{"in": "body", "pointer": f"/{name}", "message": text} for name, text in (problems or {}).items()]
        super().__init__(detail, extra={"errors": errors} if errors else None)
        self.problems = dict(problems or {})


class TooManySecrets(Conflict):
    code = "too-many-secrets"
    title = "Too many secrets"


class ConsentNotFound(NotFound):
    code = "unknown-consent"
    title = "Unknown consent"
