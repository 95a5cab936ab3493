"""What can be wrong with a client that is being managed. What is wrong with a protocol request is in the engine."""

from saas.web.problems import Conflict, InvalidRequest, NotFound


class ClientNotFound(NotFound):
    code = "unknown-client"
    title = "Unknown client"


class InvalidClientDefinition(InvalidRequest):
    code = "invalid-client"
    title = "Invalid client"


class TooManySecrets(Conflict):
    code = "too-many-secrets"
    title = "Too many secrets"
